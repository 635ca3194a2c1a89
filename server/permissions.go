package server

import (
	"slices"

	"github.com/memberwatch/memberwatch"
	pb "github.com/memberwatch/memberwatch/proto/memberwatch/v1"
)

// permission is who may make a call.
type permission struct {
	roles []memberwatch.Role
	// each, if set, leaves fewer of them for a request.
	each func(request any) []memberwatch.Role
}

// Groups of roles.
var (
	producers = []memberwatch.Role{memberwatch.RoleProducer}
	admins    = []memberwatch.Role{memberwatch.RoleAdmin}
	reviewers = []memberwatch.Role{memberwatch.RoleReviewer, memberwatch.RoleLead}
	// readers look at what was found and decided.
	readers = append(slices.Clone(reviewers), memberwatch.RoleAuditor)
	// overseers look after the service and its log.
	overseers = []memberwatch.Role{memberwatch.RoleLead, memberwatch.RoleAuditor, memberwatch.RoleAdmin}
	// callbacks are those whom a remediation concerns: the platform is asked and answers.
	callbacks = append(slices.Clone(reviewers), memberwatch.RolePlatform)
	// platform declares what is so; registrars also do it for whoever runs the service.
	platform   = []memberwatch.Role{memberwatch.RolePlatform}
	registrars = []memberwatch.Role{memberwatch.RolePlatform, memberwatch.RoleAdmin}
	// informed know the registry, the cases and what is to be done about them.
	informed = append(slices.Clone(readers), memberwatch.RolePlatform, memberwatch.RoleAdmin)
	anybody  = append(slices.Clone(informed), memberwatch.RoleProducer)
)

// permissions is who may make each call of the contract, by full method name, where callers have to prove who they are.
// A call without a line is refused; a test demands one for each.
var permissions = map[string]permission{
	pb.IngestService_AppendEvents_FullMethodName: {roles: producers},
	pb.IngestService_WriteEvents_FullMethodName:  {roles: producers},

	pb.RegistryService_PutApp_FullMethodName:           {roles: registrars},
	pb.RegistryService_GetApp_FullMethodName:           {roles: informed},
	pb.RegistryService_ListApps_FullMethodName:         {roles: informed},
	pb.RegistryService_PutRestriction_FullMethodName:   {roles: platform}, // others restrict by a remediation, with a second person
	pb.RegistryService_ListRestrictions_FullMethodName: {roles: informed},
	pb.RegistryService_LiftRestriction_FullMethodName:  {roles: platform},
	pb.RegistryService_PutCanaries_FullMethodName:      {roles: platform},
	pb.RegistryService_PutAttestation_FullMethodName:   {roles: callbacks},

	pb.SignalService_GetSignal_FullMethodName:     {roles: readers},
	pb.SignalService_ListSignals_FullMethodName:   {roles: readers},
	pb.SignalService_WatchSignals_FullMethodName:  {roles: readers},
	pb.SignalService_ExplainSignal_FullMethodName: {roles: readers},
	pb.SignalService_VerifySignal_FullMethodName:  {roles: append(slices.Clone(readers), memberwatch.RoleAdmin)},

	pb.CaseService_GetCase_FullMethodName:            {roles: informed},
	pb.CaseService_ListCases_FullMethodName:          {roles: informed},
	pb.CaseService_ListDecisions_FullMethodName:      {roles: readers},
	pb.CaseService_OpenCase_FullMethodName:           {roles: reviewers},
	pb.CaseService_NextCase_FullMethodName:           {roles: reviewers},
	pb.CaseService_DecideCase_FullMethodName:         {roles: reviewers},
	pb.CaseService_DecideCases_FullMethodName:        {roles: reviewers},
	pb.CaseService_DismissSignals_FullMethodName:     {roles: reviewers},
	pb.CaseService_ListSimilarSignals_FullMethodName: {roles: readers},
	pb.CaseService_ListReasons_FullMethodName:        {roles: readers},
	pb.CaseService_ListPrecisions_FullMethodName:     {roles: readers},
	pb.CaseService_ProposeRemediation_FullMethodName: {roles: reviewers},
	pb.CaseService_AdvanceRemediation_FullMethodName: {roles: callbacks, each: mayAdvance},
	pb.CaseService_ListRemediations_FullMethodName:   {roles: informed},
	pb.CaseService_CreateSilence_FullMethodName:      {roles: reviewers},
	pb.CaseService_PreviewSilence_FullMethodName:     {roles: readers},
	pb.CaseService_EndSilence_FullMethodName:         {roles: reviewers},
	pb.CaseService_ListSilences_FullMethodName:       {roles: readers},

	pb.ReportService_QueryAccess_FullMethodName:  {roles: readers},
	pb.ReportService_GetBaseline_FullMethodName:  {roles: readers},
	pb.ReportService_ExportPacket_FullMethodName: {roles: readers},

	pb.TuningService_GetTuning_FullMethodName:      {roles: append(slices.Clone(readers), memberwatch.RoleAdmin)},
	pb.TuningService_ListTunings_FullMethodName:    {roles: append(slices.Clone(readers), memberwatch.RoleAdmin)},
	pb.TuningService_BacktestTuning_FullMethodName: {roles: append(slices.Clone(readers), memberwatch.RoleAdmin)},
	pb.TuningService_ListClues_FullMethodName:      {roles: append(slices.Clone(readers), memberwatch.RoleAdmin)},
	pb.TuningService_ApplyTuning_FullMethodName:    {roles: []memberwatch.Role{memberwatch.RoleLead, memberwatch.RoleAdmin}},

	pb.DeliveryService_CreateEndpoint_FullMethodName:    {roles: admins},
	pb.DeliveryService_GetEndpoint_FullMethodName:       {roles: overseers},
	pb.DeliveryService_ListEndpoints_FullMethodName:     {roles: overseers},
	pb.DeliveryService_UpdateEndpoint_FullMethodName:    {roles: admins},
	pb.DeliveryService_EnableEndpoint_FullMethodName:    {roles: admins},
	pb.DeliveryService_DisableEndpoint_FullMethodName:   {roles: admins},
	pb.DeliveryService_DeleteEndpoint_FullMethodName:    {roles: admins},
	pb.DeliveryService_RotateEndpointKey_FullMethodName: {roles: admins},
	pb.DeliveryService_PingEndpoint_FullMethodName:      {roles: admins},
	pb.DeliveryService_ListDeliveries_FullMethodName:    {roles: overseers},
	pb.DeliveryService_ReplayDeliveries_FullMethodName:  {roles: admins},

	pb.AdminService_GetStats_FullMethodName:         {roles: anybody},
	pb.AdminService_GetAuditHead_FullMethodName:     {roles: overseers},
	pb.AdminService_ListAuditEntries_FullMethodName: {roles: overseers},
	pb.AdminService_ProveAuditEntry_FullMethodName:  {roles: overseers},
	pb.AdminService_ProveAuditHead_FullMethodName:   {roles: overseers},
	pb.AdminService_CheckRecords_FullMethodName:     {roles: overseers},
	pb.AdminService_Backup_FullMethodName:           {roles: admins},
	pb.AdminService_CreateToken_FullMethodName:      {roles: admins},
	pb.AdminService_ListTokens_FullMethodName:       {roles: overseers},
	pb.AdminService_RevokeToken_FullMethodName:      {roles: admins},
}

// mayAdvance is who may take a step with a remediation: the platform answers what it was asked, but does not judge it.
func mayAdvance(request any) []memberwatch.Role {
	r, _ := request.(*pb.AdvanceRemediationRequest)
	switch r.GetMove() {
	case pb.Move_MOVE_ACKNOWLEDGE, pb.Move_MOVE_SUBMIT_EVIDENCE, pb.Move_MOVE_FAIL:
		return callbacks
	case pb.Move_MOVE_VERIFY, pb.Move_MOVE_CANCEL:
		return reviewers
	default: // approve, reject, waive
		return []memberwatch.Role{memberwatch.RoleLead}
	}
}

// rolesFor returns who may make a call with a request, nobody where there is no line for it.
func rolesFor(method string, request any) []memberwatch.Role {
	p := permissions[method]
	if p.each != nil && request != nil {
		return p.each(request)
	}
	return p.roles
}
