export { ConfigurationError } from './core/configuration-error.ts';
export { KmsError, type KmsErrorName } from './model/errors.ts';
export type * from './model/types.ts';
export type { Load, WorkKind } from './service/admission.ts';
export type { AuditEvent, AuditSink } from './service/audit.ts';
export type {
  BatchApi,
  BatchDescription,
  BatchStateName,
  BatchSubmission,
  BatchWorkerShare,
} from './service/batch-api.ts';
export type { BatchFigures } from './service/batch-counts.ts';
export type { WorkOptions } from './service/batch-worker.ts';
export type { BatchOptions } from './service/batches.ts';
export type { CallerOptions } from './service/callers.ts';
export type { CheckReport } from './service/check.ts';
export type { CopyReport } from './service/copy.ts';
export type {
  Credential,
  CredentialDirectory,
  CredentialRecord,
  CredentialSecrets,
  NewCredential,
} from './service/credentials.ts';
export type { OpenOptions, RequestOptions } from './service/options.ts';
export type { RequestOrigin } from './service/origins.ts';
export {
  type Capabilities,
  type Figures,
  Pairmint,
  type StoreDescription,
} from './service/pairmint.ts';
export type {
  FillOptions,
  FillProgress,
  PoolApi,
  PoolDescription,
  PoolId,
  PoolSettings,
} from './service/pool-api.ts';
export type { StoreApi } from './service/store-api.ts';
export type { ChunkCounts } from './store/batch-store.ts';
export type { Entry, StoreFact } from './store/key-store.ts';
export type { RootKeySource } from './store/open-store.ts';
export type { StoreFault } from './store/store-errors.ts';
export type {
  ConnectionFigures,
  QueryKind,
  SharedFigures,
  StoreFigures,
} from './store/store-figures.ts';
