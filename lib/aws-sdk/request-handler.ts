import { createHandler } from '../http/handler.ts';
import type { Service } from '../http/service.ts';

/** The part of an SDK client's request that the handler reads. */
export interface SdkRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/** A signal of AbortController, or the SDK's own kind of it. */
export interface SdkAbortSignal {
  readonly aborted: boolean;
}

export interface SdkHandlerOptions {
  readonly abortSignal?: SdkAbortSignal | undefined;
}

/** A request handler for clients of AWS's JavaScript SDK: `requestHandler` in their configuration. */
export interface PairmintRequestHandler {
  readonly metadata: { readonly handlerProtocol: string };
  handle(request: SdkRequest, options?: SdkHandlerOptions): Promise<{ response: SdkResponse }>;
  updateHttpClientConfig(key: never, value: never): void;
  httpHandlerConfigs(): Record<string, never>;
  destroy(): void;
}

/**
 * Makes an unmodified `KMSClient` of `@aws-sdk/client-kms` talk to a service in this process.
 * Requests are made as the service's own caller, whatever credentials the client signs with; the
 * service stays open when the client is destroyed.
 */
export function pairmintRequestHandler(kms: Service): PairmintRequestHandler {
  const handle = createHandler(kms, { auth: false });
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle({ method, path, headers, body }, { abortSignal } = {}) {
      const fields = Object.entries(headers).map(
        ([name, value]) => [name.toLowerCase(), [value]] as const,
      );
      const request = { method, path, headers: new Map(fields), body: bytesOf(body) };
      const signal = abortSignal instanceof AbortSignal ? abortSignal : undefined;
      const answer = await handle(request, signal);
      return {
        response: {
          statusCode: answer.status,
          headers: lowerCased(answer.headers),
          body: Buffer.from(answer.body, 'utf8'),
        },
      };
    },
    // There is no connection to configure.
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    destroy() {},
  };
}

/** KMS clients send text; none of the model's members is a stream. */
function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === 'string' ? body : '', 'utf8');
}

/** The headers as an HTTP client of the SDK would give them. */
function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
