module github.com/memberwatch/memberwatch

go 1.26
