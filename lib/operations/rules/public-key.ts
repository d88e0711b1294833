import type { Key } from '../../keys/key-directory.ts';
import { damaged } from '../../store/store-errors.ts';

/** The public half of an asymmetric key, SubjectPublicKeyInfo in DER. */
export function publicKeyOf({ arn, record }: Key): Uint8Array {
  if (record.publicKey === undefined) throw damaged(arn);
  // Buffers made of texts share memory with others; this goes into answers.
  return Uint8Array.from(Buffer.from(record.publicKey, 'base64'));
}
