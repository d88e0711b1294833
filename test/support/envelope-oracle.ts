import crypto from 'node:crypto';

// The DKP envelope a second time, on node:crypto alone and from docs/envelope.md alone, so that the
// native code is compared with something that shares no line with it.

export interface Message {
  material: Buffer;
  keyId: Buffer;
  kind: number;
  context: Buffer;
  plaintext: Buffer;
}

export function deriveKey(key: Buffer, label: string, context: Buffer, length: number): Buffer {
  const fixed = Buffer.concat([Buffer.from(`${label}\0`, 'latin1'), context, uint32(length * 8)]);
  const block = (i: number) =>
    crypto.createHmac('sha256', key).update(uint32(i)).update(fixed).digest();
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) => block(i + 1));
  return Buffer.concat(blocks).subarray(0, length);
}

export function materialId(material: Buffer, keyId: Buffer): Buffer {
  return deriveKey(material, 'DKP1 key material id', keyId, 32);
}

export function seal({ material, keyId, kind, context, plaintext }: Message): Buffer {
  const iv = crypto.randomBytes(12);
  const header = Buffer.concat([
    Buffer.from([0x44, 0x4b, 0x50, 1, 1, kind, 0, 0]),
    keyId,
    materialId(material, keyId),
    crypto.randomBytes(32),
    iv,
  ]);
  const { encryption, commitment, aad } = messageKeys(material, header, context);
  const cipher = crypto.createCipheriv('aes-256-gcm', encryption, iv).setAAD(aad);
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([header, commitment, body, cipher.getAuthTag()]);
}

export function open(blob: Buffer, { material, context }: Pick<Message, 'material' | 'context'>) {
  const header = blob.subarray(0, 100);
  const { encryption, commitment, aad } = messageKeys(material, header, context);
  if (!commitment.equals(blob.subarray(100, 132))) throw new Error('commitment');
  const decipher = crypto
    .createDecipheriv('aes-256-gcm', encryption, header.subarray(88))
    .setAAD(aad)
    .setAuthTag(blob.subarray(-16));
  return Buffer.concat([decipher.update(blob.subarray(132, -16)), decipher.final()]);
}

/** What a material record holds (section 6). */
export function unwrap(rootKey: Buffer, header: Buffer, wrapped: Buffer): Buffer {
  const digest = crypto.createHash('sha256').update(header).digest();
  const kek = deriveKey(rootKey, 'DKP1 store wrap', digest, 32);
  const initial = Buffer.from('a65959a6', 'hex'); // RFC 5649, section 3
  const decipher = crypto.createDecipheriv('id-aes256-wrap-pad', kek, initial);
  return Buffer.concat([decipher.update(wrapped), decipher.final()]);
}

function messageKeys(material: Buffer, header: Buffer, context: Buffer) {
  const aad = Buffer.concat([header, context]);
  const digest = crypto.createHash('sha256').update(aad).digest();
  const keys = deriveKey(material, 'DKP1 AES-256-GCM', digest, 64);
  return { encryption: keys.subarray(0, 32), commitment: keys.subarray(32), aad };
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}
