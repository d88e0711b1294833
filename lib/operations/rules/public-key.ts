import type { Key } from '../../keys/key.ts';
import { damaged } from '../../store/store-errors.ts';

/** The public half of an asymmetric key, SubjectPublicKeyInfo in DER. */
export function publicKeyOf({ arn, record }: Key): Uint8Array {
  if (record.publicKey === undefined) throw damaged(arn);
  // A copy for the answer: a Buffer made from a text shares its memory with others.
  return Uint8Array.from(Buffer.from(record.publicKey, 'base64'));
}
