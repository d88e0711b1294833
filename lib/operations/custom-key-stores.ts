import { KmsError } from '../model/errors.ts';
import type { OperationName } from '../model/shapes.ts';
import { authorizeIdentity } from './rules/access.ts';
import type { Operation } from './rules/operation.ts';

/** pairmint keeps keys in its own store and speaks to no CloudHSM cluster or external key manager. */
export function customKeyStoresNotOffered(): KmsError {
  return new KmsError(
    'UnsupportedOperationException',
    "Custom key stores are not offered: pairmint's keys live in its own store.",
  );
}

/** As no custom key store can be made, every id and name is an unknown one. */
export function customKeyStoreNotFound(): KmsError {
  return new KmsError('CustomKeyStoreNotFoundException');
}

/** KMS API Reference, CreateCustomKeyStore. */
export const createCustomKeyStore: Operation<'CreateCustomKeyStore'> = {
  name: 'CreateCustomKeyStore',
  async run(services) {
    authorizeIdentity(services);
    throw customKeyStoresNotOffered();
  },
};

/** KMS API Reference, DescribeCustomKeyStores. */
export const describeCustomKeyStores: Operation<'DescribeCustomKeyStores'> = {
  name: 'DescribeCustomKeyStores',
  readOnly: true,
  async run(services, { CustomKeyStoreId, CustomKeyStoreName }) {
    authorizeIdentity(services);
    if ((CustomKeyStoreId ?? CustomKeyStoreName) !== undefined) throw customKeyStoreNotFound();
    return { CustomKeyStores: [], Truncated: false };
  },
};

function ofUnknownStore<O extends OperationName>(name: O): Operation<O> {
  return {
    name,
    async run(services) {
      authorizeIdentity(services);
      throw customKeyStoreNotFound();
    },
  };
}

export const connectCustomKeyStore = ofUnknownStore('ConnectCustomKeyStore');
export const deleteCustomKeyStore = ofUnknownStore('DeleteCustomKeyStore');
export const disconnectCustomKeyStore = ofUnknownStore('DisconnectCustomKeyStore');
export const updateCustomKeyStore = ofUnknownStore('UpdateCustomKeyStore');
