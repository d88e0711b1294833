// The places of an envelope's header (docs/envelope.md section 2) that say whose material opens it;
// native code checks all of it.
const magic = Buffer.from('DKP', 'latin1');
const minBlobLength = 148;
const keyIdAt = 8;
const materialIdAt = 24;
const materialIdLength = 32;

/** The header of a symmetric ciphertext, not yet authenticated. */
export interface BlobHeader {
  /** The key's id as 16 bytes. */
  readonly keyId: Uint8Array;
  readonly materialId: string;
}

/** Reads the header of a symmetric ciphertext; undefined if the bytes cannot be one. */
export function readHeader(blob: Uint8Array): BlobHeader | undefined {
  if (blob.byteLength < minBlobLength || Buffer.compare(blob.subarray(0, 3), magic) !== 0) {
    return undefined;
  }
  return { keyId: blob.subarray(keyIdAt, materialIdAt), materialId: materialIdOfBlob(blob) };
}

/** The id of the key material that a symmetric ciphertext says it was sealed under. */
export function materialIdOfBlob(blob: Uint8Array): string {
  return Buffer.from(blob.buffer, blob.byteOffset + materialIdAt, materialIdLength).toString('hex');
}
