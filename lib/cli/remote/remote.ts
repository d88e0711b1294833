import type { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import type { OperationName } from '../../model/shapes.ts';
import type { Calls } from '../context.ts';
import type { Remote } from '../settings/settings.ts';
import type { DebugLog } from './debug-log.ts';
import { readAnswer } from './remote-answer.ts';
import { type Answer, clientFailure, serviceFailure } from './remote-failures.ts';
import { tlsOptions } from './tls-options.ts';

// Node's timers take 32 bits and fire at once beyond; the SDK may add some seconds.
const maxConnectMilliseconds = 2 ** 31 - 1 - 10_000;

/** The parts that the SDK's middleware shows. */
interface SentRequest {
  readonly method: string;
  path: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface ReceivedResponse {
  readonly statusCode: number;
  readonly reason?: string;
  body: AsyncIterable<Uint8Array> | Uint8Array;
}

/** Makes requests to a server through AWS's SDK, which is loaded for that. */
export class RemoteService implements Calls {
  readonly #sdk: typeof import('@aws-sdk/client-kms');
  readonly #client: KMSClient;
  readonly #remote: Remote;
  readonly #debug: DebugLog | undefined;
  /** The last one that came, as it came. */
  #answer: Answer | undefined;

  private constructor(
    sdk: typeof import('@aws-sdk/client-kms'),
    remote: Remote,
    debug: DebugLog | undefined,
  ) {
    this.#sdk = sdk;
    this.#client = makeClient(sdk, remote);
    this.#remote = remote;
    this.#debug = debug;
    if (remote.region === '') signForNoRegion(this.#client);
    this.#lookAtTraffic();
  }

  static async connect(remote: Remote, debug: DebugLog | undefined): Promise<RemoteService> {
    // The SDK would print advice about versions of Node.js among the command's own messages.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
    return new RemoteService(await import('@aws-sdk/client-kms'), remote, debug);
  }

  /** @throws ServiceFailure if the service refuses; the AWS CLI's own errors if no answer comes */
  async call(name: string, request: unknown): Promise<object> {
    try {
      await this.#client.send(this.#command(name, request));
    } catch (error) {
      this.#refuse(error);
    }
    // Not what the SDK made of it, which guesses at what it cannot read, and cuts times.
    const { text } = this.#answer as Answer;
    return readAnswer(name, text, new URL(this.#remote.endpointUrl).href);
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  /** Each operation has a command of its type; which one it is, only the command line knows. */
  #command(name: string, request: unknown): DescribeKeyCommand {
    const Command = this.#sdk[`${name as OperationName}Command`] as unknown as new (
      input: unknown,
    ) => DescribeKeyCommand;
    return new Command(request);
  }

  /** Throws unless the request succeeded and the SDK alone did not understand the answer. */
  #refuse(error: unknown): void {
    const answer = this.#answer;
    if (answer === undefined) throw clientFailure(error, this.#remote.endpointUrl);
    if (answer.status >= 300) throw serviceFailure(error, answer, this.#remote);
  }

  #lookAtTraffic(): void {
    const { middlewareStack } = this.#client;
    const { endpointUrl } = this.#remote;
    const { pathname } = new URL(endpointUrl);
    middlewareStack.add(
      (next) => (args) => {
        // The SDK adds a slash to the path of the endpoint's URL, the AWS CLI does not.
        (args.request as SentRequest).path = pathname;
        return next(args);
      },
      { step: 'build', name: 'keepPath' },
    );
    middlewareStack.add(
      (next) => async (args) => {
        const begun = performance.now();
        const { method, headers } = args.request as SentRequest;
        this.#debug?.sending(method, endpointUrl, headers);
        // The failure of this try is not to be told as what an earlier one was answered.
        this.#answer = undefined;
        const result = await next(args);
        this.#answer = await keepAnswer(result.response as ReceivedResponse);
        const time = Math.round(performance.now() - begun);
        this.#debug?.write('remote', `Response status ${this.#answer.status} after ${time} ms`);
        return result;
      },
      { step: 'deserialize', name: 'keepAnswer', priority: 'low' },
    );
  }
}

function makeClient(sdk: typeof import('@aws-sdk/client-kms'), remote: Remote): KMSClient {
  const { endpointUrl, region, profile, credentials, maxAttempts, retryMode } = remote;
  const unsigned = { accessKeyId: '', secretAccessKey: '' };
  return new sdk.KMSClient({
    endpoint: endpointUrl,
    // The SDK takes no empty one, which the AWS CLI signs for.
    region: region || 'unnamed',
    maxAttempts,
    retryMode,
    ...(profile !== undefined && { profile }),
    ...(credentials !== undefined && { credentials }),
    ...(!remote.signRequest && {
      credentials: unsigned,
      signer: async () => ({ sign: async (request) => request }),
    }),
    // It warns of credentials that it does not use.
    logger: { trace() {}, debug() {}, info() {}, warn() {}, error() {} },
    requestHandler: {
      connectionTimeout: Math.min(remote.connectTimeout * 1000, maxConnectMilliseconds),
      socketTimeout: remote.readTimeout * 1000,
      httpsAgent: tlsOptions(remote),
    },
  });
}

/** Signs for the empty region. */
function signForNoRegion({ config }: KMSClient): void {
  const signerOf = config.signer;
  config.signer = async (scheme) => {
    const signer = await signerOf(scheme);
    return { sign: (request, options) => signer.sign(request, { ...options, signingRegion: '' }) };
  };
}

/** Reads the body, for the SDK forgets the text of an answer that it does not understand. */
async function keepAnswer(response: ReceivedResponse): Promise<Answer> {
  const chunks: Uint8Array[] = [];
  if (response.body instanceof Uint8Array) {
    chunks.push(response.body);
  } else {
    for await (const chunk of response.body) chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  response.body = body;
  const { statusCode: status, reason = '' } = response;
  return { status, reason, text: body.toString('utf8') };
}
