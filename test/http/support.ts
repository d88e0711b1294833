import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { HttpAnswer, HttpRequest } from '../../lib/http/message.ts';

export const contentType = 'application/x-amz-json-1.1';
export const host = 'kms.us-east-1.amazonaws.com';

/** A request as tests write it: header names as sent, a list for one that is sent several times. */
export interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: string | Uint8Array;
}

/** The headers of a call that no client leaves out. */
export function callHeaders(operation: string): Record<string, string> {
  return { host, 'content-type': contentType, 'x-amz-target': `TrentService.${operation}` };
}

export function toRequest({ method = 'POST', path = '/', headers = {}, body = '' }: Sent) {
  const fields = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) fields.set(name.toLowerCase(), [value].flat());
  }
  return { method, path, headers: fields, body: Buffer.from(body) } satisfies HttpRequest;
}

/** An answer's status and body as one line: `400 Name: message`, or the JSON of a success. */
export function summaryOf({ status, body }: HttpAnswer): string {
  if (!body.startsWith('{')) return `${status} ${body}`.trimEnd();
  const { __type, message } = JSON.parse(body);
  if (__type === undefined) return `${status} ${body}`;
  return message === undefined ? `${status} ${__type}` : `${status} ${__type}: ${message}`;
}

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Node's hashes for AWS's signer, which asks for a class of its own form. */
class Sha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash('sha256')
        : createHmac('sha256', Buffer.from(secret as Uint8Array));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(data as Uint8Array);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('nobody resets it');
  }
}

export interface SigningOptions {
  readonly region?: string;
  readonly service?: string;
  readonly date?: Date;
  readonly unsignable?: readonly string[];
}

/** Signs with the signer of AWS's JavaScript SDK. */
export async function signed(
  { method = 'POST', path = '/', headers = {}, body = '' }: Sent,
  credentials: AccessKey,
  { region = 'us-east-1', service = 'kms', date, unsignable = [] }: SigningOptions = {},
): Promise<Sent & { readonly headers: Record<string, string> }> {
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256 });
  const [pathname = '', query] = path.split('?');
  const unsigned = headers as Record<string, string>;
  const request = await signer.sign(
    {
      method,
      path: pathname,
      protocol: 'https:',
      hostname: host,
      headers: unsigned,
      body,
      ...(query !== undefined && { query: Object.fromEntries(new URLSearchParams(query)) }),
    },
    {
      ...(date && { signingDate: date }),
      unsignableHeaders: new Set(unsignable),
    },
  );
  return { method, path, headers: request.headers, body };
}
