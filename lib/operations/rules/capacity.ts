import type { Key } from '../../keys/key.ts';
import { KmsError } from '../../model/errors.ts';
import { keySpecs } from '../../model/key-specs.ts';
import type { KeySpec } from '../../model/types.ts';

/** @throws KmsError ValidationException if an asymmetric algorithm cannot take so much */
export function requireCapacity(key: Key, algorithm: string, plaintext: Uint8Array): void {
  if (plaintext.byteLength > capacityOf(key.record.keySpec, algorithm)) {
    throw beyondCapacity(key, algorithm);
  }
}

/** AWS's error for data that is too long for an asymmetric algorithm. */
export function beyondCapacity({ record }: Key, algorithm: string): KmsError {
  const capacity = capacityOf(record.keySpec, algorithm);
  return new KmsError(
    'ValidationException',
    `Algorithm ${algorithm} and key spec ${record.keySpec} cannot encrypt data larger than ` +
      `${capacity} bytes.`,
  );
}

// RFC 8017 section 7.1.1: OAEP uses up two hashes and two bytes of the modulus. SM2's limit is from
// AWS's table of algorithms.
function capacityOf(keySpec: KeySpec, algorithm: string): number {
  const { modulusBits } = keySpecs[keySpec];
  if (modulusBits !== undefined) {
    return modulusBits / 8 - 2 * (algorithm.endsWith('SHA_1') ? 20 : 32) - 2;
  }
  return algorithm === 'SM2PKE' ? 1024 : Number.POSITIVE_INFINITY;
}
