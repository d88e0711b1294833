import { createPrivateKey } from 'node:crypto';
import { keySpecCalled, materialLength } from '../model/key-specs.ts';
import type { KeySpec } from '../model/types.ts';

// Texts stay in JavaScript's memory until they are collected. They are decoded into buffers, which
// the caller wipes.

const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const hexPattern = /^(?:[0-9a-fA-F]{2})+$/;
const pemPattern =
  /-----BEGIN ((?:EC |RSA |ENCRYPTED )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----/;

/**
 * Decodes the material of a key: a secret in hex or base64, which their lengths tell apart, or a
 * private key's PKCS#8 in base64.
 *
 * @throws RangeError that says what was expected
 */
export function decodeMaterial(text: string, keySpec: KeySpec): Buffer {
  const length = materialLength(keySpec);
  if (length === undefined) {
    if (text !== '' && base64Pattern.test(text)) return Buffer.from(text, 'base64');
    throw new RangeError('expected a private key, PKCS#8 in base64');
  }
  if (text.length === 2 * length && hexPattern.test(text)) return Buffer.from(text, 'hex');
  if (text.length === 4 * Math.ceil(length / 3) && base64Pattern.test(text)) {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.length === length) return bytes;
    bytes.fill(0);
  }
  throw new RangeError(`expected ${length} bytes in hex or base64, for KeySpec ${keySpec}`);
}

/**
 * Decodes a private key in PEM to PKCS#8.
 *
 * @throws RangeError that says what was expected
 */
export function decodePem(text: string): Buffer {
  const [, label, base64 = ''] = pemPattern.exec(text) ?? [];
  if (label === 'ENCRYPTED PRIVATE KEY' || base64.includes('DEK-Info')) {
    throw new RangeError('expected a private key that is not encrypted');
  }
  const der = Buffer.from(base64, 'base64');
  if (label === 'PRIVATE KEY') return der;
  try {
    const type = label === 'EC PRIVATE KEY' ? 'sec1' : 'pkcs1';
    return createPrivateKey({ key: der, format: 'der', type }).export({
      format: 'der',
      type: 'pkcs8',
    });
  } catch {
    // OpenSSL's reason might quote the key.
    throw new RangeError('expected a private key in PEM');
  } finally {
    der.fill(0);
  }
}

/** The KeySpec of a private key, PKCS#8; undefined if it has none or Node cannot tell. */
export function keySpecOf(pkcs8: Uint8Array): KeySpec | undefined {
  const der = Buffer.from(pkcs8.buffer, pkcs8.byteOffset, pkcs8.byteLength);
  try {
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
    return keySpecCalled(
      [type, details.modulusLength ?? details.namedCurve].filter(Boolean).join(' '),
    );
  } catch {
    return undefined;
  }
}
