import { GeneralError, type ServiceFailure, SettingsError } from '../errors.ts';
import type { Remote } from '../settings/settings.ts';

/** What a server sent. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly text: string;
}

/** An answer that refuses the request, named as the AWS CLI names it. */
export function serviceFailure(
  error: unknown,
  answer: Answer,
  { maxAttempts }: Remote,
): ServiceFailure & Error {
  const { attempts = 1 } = (error as { $metadata?: { attempts?: number } }).$metadata ?? {};
  const isGivenUp = attempts === maxAttempts && (attempts > 1 || answer.status >= 500);
  const { name, message } = readRefusal(answer);
  return Object.assign(new Error(message), {
    name,
    $fault: answer.status >= 500 ? 'server' : 'client',
    ...(isGivenUp && { retries: attempts - 1 }),
  });
}

/**
 * What is no refusal in the protocol's form is named by its status; a proxy's page stays unshown.
 */
function readRefusal({ status, reason, text }: Answer): { name: string; message: string } {
  const isPage = text.trim() === '' || text.trimStart().startsWith('<html>');
  if (status >= 500 && isPage) return { name: String(status), message: reason };
  const body = parseObject(text);
  if (body === undefined) return { name: String(status), message: text };
  const { __type: type = String(status), message = body.Message ?? '' } = body;
  return { name: String(type).replace(/^.*#/, ''), message: String(message) };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

// The codes with which node:tls and OpenSSL refuse a connection.
const untrusted =
  /^(?:EPROTO|CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_)/;

/** Says in the AWS CLI's words why a request was not answered. */
export function clientFailure(error: unknown, endpointUrl: string): unknown {
  if (!(error instanceof Error)) return error;
  const url = new URL(endpointUrl).href;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (error.name === 'CredentialsProviderError') return credentialsFailure(error);
  if (untrusted.test(code)) {
    return new GeneralError(`SSL validation failed for ${url} ${tlsReason(code, error.message)}`);
  }
  if (['ECONNRESET', 'EPIPE'].includes(code) || code.startsWith('HPE_')) {
    return new GeneralError(
      `Connection was closed before we received a valid response from endpoint URL: "${url}".`,
    );
  }
  if (error.name === 'TimeoutError' && code !== 'ETIMEDOUT') {
    const kind = error.message.includes('establish a connection') ? 'Connect' : 'Read';
    return new GeneralError(`${kind} timeout on endpoint URL: "${url}"`);
  }
  return 'syscall' in error || error instanceof AggregateError
    ? new GeneralError(`Could not connect to the endpoint URL: "${url}"`)
    : error;
}

/**
 * The error of the credential provider that failed; if no provider was asked, the CLI's sentence.
 */
function credentialsFailure(error: Error): Error {
  return /could not load credentials from any providers/i.test(error.message)
    ? new SettingsError(
        'Unable to locate credentials. You can configure credentials by running "aws configure".',
      )
    : new GeneralError(error.message);
}

/** As Python's ssl shows OpenSSL's reasons. */
function tlsReason(code: string, message: string): string {
  const [, reason] = /SSL routines:[^:]*:([^:]+):/.exec(message) ?? [];
  if (reason !== undefined) return `[SSL: ${reason.toUpperCase().replaceAll(' ', '_')}] ${reason}`;
  return code === 'EPROTO'
    ? message.trim()
    : `[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: ${message}`;
}
