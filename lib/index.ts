export { ConfigurationError } from './configuration-error.ts';
export { KmsError, type KmsErrorName } from './model/errors.ts';
export type * from './model/types.ts';
export {
  type Capabilities,
  type OpenOptions,
  Pairmint,
  type RequestOptions,
  type StoreDescription,
} from './pairmint.ts';
export type { RootKeySource } from './store/open-store.ts';
