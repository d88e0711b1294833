import { KmsError } from '../model/errors.ts';
import { findKey } from './rules/key-lookup.ts';
import type { Operation } from './rules/operation.ts';

function refused<O extends 'Decapsulate' | 'Encapsulate'>(name: O): Operation<O> {
  return {
    name,
    readOnly: true,
    async run(services, { KeyId }: { readonly KeyId: string }) {
      await findKey(services, KeyId);
      throw new KmsError(
        'UnsupportedOperationException',
        `${name} is not offered: pairmint makes no ML-KEM keys.`,
      );
    },
  };
}

export const decapsulate = refused('Decapsulate');
export const encapsulate = refused('Encapsulate');
