import { readFileSync } from 'node:fs';
import { GeneralError } from '../errors.ts';
import type { Remote } from '../settings/settings.ts';

/** Whom to trust, for an agent of node:https. */
export function tlsOptions({ endpointUrl, verifySsl, caBundle }: Remote): {
  readonly rejectUnauthorized?: false;
  readonly ca?: Buffer;
} {
  if (!verifySsl) return { rejectUnauthorized: false };
  const isUsed = caBundle !== undefined && new URL(endpointUrl).protocol === 'https:';
  return isUsed ? { ca: readBundle(caBundle, endpointUrl) } : {};
}

function readBundle(file: string, endpointUrl: string): Buffer {
  const bytes = readBytes(file, endpointUrl);
  // Node.js would refuse every server and blame the server's certificate.
  if (!bytes.includes('-----BEGIN CERTIFICATE-----')) {
    throw invalid(endpointUrl, '[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate or crl found');
  }
  return bytes;
}

function readBytes(file: string, endpointUrl: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code, errno = 0, message } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT' ? `[Errno ${Math.abs(errno)}] No such file or directory` : message;
    throw invalid(endpointUrl, why);
  }
}

function invalid(endpointUrl: string, why: string): GeneralError {
  return new GeneralError(`SSL validation failed for ${new URL(endpointUrl).href} ${why}`);
}
