export { ConfigurationError } from './core/configuration-error.ts';
export type {
  Credential,
  CredentialDirectory,
  CredentialRecord,
  CredentialSecrets,
  NewCredential,
} from './keys/credential-directory.ts';
export { KmsError, type KmsErrorName } from './model/errors.ts';
export type * from './model/types.ts';
export type { RequestOrigin } from './policy/request-facts.ts';
export type { Load, WorkKind } from './service/admission.ts';
export type { AuditEvent, AuditSink } from './service/audit.ts';
export type { CheckReport } from './service/check.ts';
export {
  type BatchOptions,
  type CallerOptions,
  type Capabilities,
  type OpenOptions,
  Pairmint,
  type RequestOptions,
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
export type { Entry } from './store/key-store.ts';
export type { RootKeySource } from './store/open-store.ts';
