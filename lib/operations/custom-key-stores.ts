import { KmsError } from '../model/errors.ts';
import type { OperationName } from '../model/shapes.ts';
import { authorizeIdentity } from './access.ts';
import type { Operation } from './operation.ts';

/** pairmint keeps keys in its own store and speaks to no CloudHSM cluster or external key manager. */
export function customKeyStoresNotOffered(): KmsError {
  return new KmsError(
    'UnsupportedOperationException',
    "Custom key stores are not offered: pairmint's keys live in its own store.",
  );
}

function refused<O extends OperationName>(name: O): Operation<O> {
  return {
    name,
    async run(services) {
      authorizeIdentity(services);
      throw customKeyStoresNotOffered();
    },
  };
}

export const connectCustomKeyStore = refused('ConnectCustomKeyStore');
export const createCustomKeyStore = refused('CreateCustomKeyStore');
export const deleteCustomKeyStore = refused('DeleteCustomKeyStore');
export const describeCustomKeyStores = {
  ...refused('DescribeCustomKeyStores'),
  readOnly: true,
} as const;
export const disconnectCustomKeyStore = refused('DisconnectCustomKeyStore');
export const updateCustomKeyStore = refused('UpdateCustomKeyStore');
