// Package tune chooses a budget of false alerts from evidence that was recorded
// and labelled: it re-decides every recorded finding under other settings,
// without scoring anything again, and says what each setting would have cost
// and found.
//
// It knows how a finding follows from return periods, shares and the budget,
// and which apps people call abusive. It must not know where evidence comes
// from: a bench run, a file, or a running service are alike to it.
//
// It lies where recording was coarser than deciding: evidence below the budget
// it was recorded under is missing, slow evidence ends at ten times that
// budget, the store keeps a hundred or so findings of a signal, and a signal that
// would have ended and begun anew counts once.
package tune
