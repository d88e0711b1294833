import { randomUUID } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { KmsError } from '../model/errors.ts';
import { isOperationName } from '../model/request.ts';
import type { StructureShape } from '../model/shape.ts';
import { operationShapes, type ShapeName, shapes } from '../model/shapes.ts';
import type { Principal } from '../policy/principal.ts';

/**
 * The audit's record of one request, in the members of CloudTrail's events. Each pair of a batch
 * counts as a request, one of a batch in the store when it is settled. Filling a pool does not; the
 * request that a waiting pair answers does.
 */
export interface AuditEvent {
  readonly eventTime: string;
  readonly eventSource: 'kms.amazonaws.com';
  readonly eventName: string;
  readonly eventID: string;
  readonly requestID: string;
  readonly awsRegion: string;
  readonly recipientAccountId: string;
  readonly userIdentity: {
    readonly type: string;
    readonly arn: string;
    readonly accountId: string;
    readonly userName?: string;
  };
  readonly readOnly: boolean;
  /** Null if the request does not fit the model. Never a blob, nor anything sensitive. */
  readonly requestParameters: Readonly<Record<string, unknown>> | null;
  readonly resources: readonly { readonly ARN: string; readonly type: 'AWS::KMS::Key' }[];
  readonly errorCode?: string;
  /** Also absent if the request does not fit the model: the message would quote its values. */
  readonly errorMessage?: string;
}

/** Takes the events of requests. While it fails, requests that change something are refused. */
export type AuditSink = (event: AuditEvent) => void | Promise<void>;

/** The facts that an event is made from. */
export interface AuditFacts {
  readonly operation: string;
  readonly request: object | undefined;
  readonly requestId: string;
  readonly region: string;
  readonly accountId: string;
  readonly caller: Principal;
  readonly readOnly: boolean;
  readonly keyArns: Iterable<string>;
  readonly now: number;
  readonly error?: Error | undefined;
}

export function auditEvent(facts: AuditFacts): AuditEvent {
  const { operation, request, caller, error } = facts;
  return {
    eventTime: new Date(facts.now).toISOString(),
    eventSource: 'kms.amazonaws.com',
    eventName: operation,
    eventID: randomUUID(),
    requestID: facts.requestId,
    awsRegion: facts.region,
    recipientAccountId: facts.accountId,
    userIdentity: {
      type: identityTypes[caller.kind],
      arn: caller.arn,
      accountId: caller.accountId,
      ...(caller.kind === 'user' && { userName: caller.name }),
    },
    readOnly: facts.readOnly,
    requestParameters: request === undefined ? null : parametersOf(operation, request),
    resources: [...facts.keyArns].map((ARN) => ({ ARN, type: 'AWS::KMS::Key' })),
    ...(error && { errorCode: error.name }),
    ...(error?.message && request !== undefined && { errorMessage: error.message }),
  };
}

/**
 * Appends events to a file of mode 0600, one JSON object per line. Each event is one write, so that
 * several processes can share the file.
 */
export function auditFile(path: string): AuditSink {
  let file: number | undefined;
  let cut = false;
  return (event) => {
    file ??= openSync(path, 'a', 0o600);
    // A full disk may have cut off the last line: end it before the next one begins.
    const line = Buffer.from(`${cut ? '\n' : ''}${JSON.stringify(event)}\n`, 'utf8');
    try {
      const written = writeSync(file, line);
      if (written > 0) cut = written < line.length;
      if (!cut) return;
      throw new Error(`the audit file ${path} took only a part of an event`);
    } catch (error) {
      // The file is opened again next time: its disk may be gone.
      closeSync(file);
      file = undefined;
      throw error;
    }
  };
}

/**
 * Records one request. A request that changes something is recorded before its commit, so that no
 * change is missing from the audit. If the request then fails, a second event with the same request
 * id says so.
 */
export class AuditRecorder {
  readonly #sink: AuditSink;
  readonly #event: (error: Error | undefined) => AuditEvent;
  #recorded = false;

  constructor(sink: AuditSink, event: (error: Error | undefined) => AuditEvent) {
    this.#sink = sink;
    this.#event = event;
  }

  /** @throws KmsError KMSInternalException if the sink fails */
  async beforeCommit(): Promise<void> {
    if (this.#recorded) return;
    try {
      await this.#sink(this.#event(undefined));
    } catch (cause) {
      const text = 'The audit could not record the request, which was therefore not carried out.';
      throw new KmsError('KMSInternalException', text, { cause });
    }
    this.#recorded = true;
  }

  /** @throws KmsError KMSInternalException if the sink fails, unless `mayFail` */
  async succeeded({ mayFail }: { mayFail: boolean }): Promise<void> {
    await this.beforeCommit().catch((error) => {
      if (!mayFail) throw error;
      warn(error);
    });
  }

  /** Never throws: the answer is the request's own failure, even if the sink fails. */
  async failed(error: unknown): Promise<void> {
    // A signal's reason may be anything; an event without an error would say that all went well.
    const failure = error instanceof Error ? error : new DOMException('Aborted', 'AbortError');
    try {
      await this.#sink(this.#event(failure));
    } catch (cause) {
      warn(cause);
    }
  }
}

let warned = false;

// Once per process, so that a lasting failure does not fill the log.
function warn(error: unknown): void {
  if (warned) return;
  warned = true;
  const { cause = error } = error as { cause?: unknown };
  process.emitWarning(`the audit sink failed: ${cause instanceof Error ? cause.message : cause}`, {
    code: 'PAIRMINT_AUDIT',
  });
}

const identityTypes: Readonly<Record<Principal['kind'], string>> = {
  root: 'Root',
  user: 'IAMUser',
  role: 'Role',
  'assumed-role': 'AssumedRole',
  'federated-user': 'FederatedUser',
  service: 'AWSService',
};

// Operations that AWS does not have; nothing in their requests is secret.
const ownOperations: readonly string[] = ['SubmitBatch', 'CancelBatch', 'DeleteBatch'];

function parametersOf(operation: string, request: object): Readonly<Record<string, unknown>> {
  if (ownOperations.includes(operation)) return { ...request };
  if (!isOperationName(operation)) return {};
  const { members } = shapes[operationShapes[operation].input] as StructureShape;
  const parameters: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(request)) {
    if (isPublic(members[name] as ShapeName)) {
      parameters[name.charAt(0).toLowerCase() + name.slice(1)] = value;
    }
  }
  return parameters;
}

// Tokens stand for permissions, and blobs may be plaintext or key material.
function isPublic(name: ShapeName): boolean {
  const shape = shapes[name];
  if (shape.type === 'blob' || name.startsWith('GrantToken')) return false;
  if ('sensitive' in shape) return false;
  return shape.type !== 'structure' || Object.values(shape.members).every(isPublic);
}
