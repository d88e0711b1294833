import { randomUUID } from 'node:crypto';
import { isOffered, loadedOperation, loadOperation } from '../operations/index.ts';
import type { Principal } from '../policy/principal.ts';
import type { BeforeChange } from '../store/after.ts';
import { AuditRecorder, type AuditSink, auditEvent } from './audit.ts';

/** What the audit is told of a request beside its outcome. */
export interface RecordedCall {
  readonly operation: string;
  /** Undefined if it does not fit the model. */
  readonly request: object | undefined;
  readonly requestId: string;
  /** The ARNs of the keys that it is about. */
  readonly keyArns: Iterable<string>;
}

/** Records what one caller does in one region. */
export class AuditTrail {
  readonly #sink: AuditSink;
  readonly #caller: Principal;
  readonly #region: string;
  readonly #now: () => number;

  constructor(options: { sink: AuditSink; caller: Principal; region: string; now: () => number }) {
    this.#sink = options.sink;
    this.#caller = options.caller;
    this.#region = options.region;
    this.#now = options.now;
  }

  /**
   * Runs a request and records it: what changes anything, before it is committed. A batch is as many
   * requests as it has answers, and has an event of each, as in CloudTrail.
   *
   * @param run gets the function to call before each change
   */
  async recorded<T>(
    call: RecordedCall,
    run: (beforeChange: BeforeChange) => Promise<T>,
    { count = 1 }: { count?: number } = {},
  ): Promise<T> {
    const readOnly = await isReadOnly(call.operation);
    const recorder = this.#recorder(call, readOnly);
    try {
      const answer = await run(() => recorder.beforeCommit());
      await recorder.succeeded({ mayFail: readOnly });
      for (let i = 1; i < count; i++) {
        const other = this.#recorder({ ...call, requestId: randomUUID() }, readOnly);
        await other.succeeded({ mayFail: readOnly });
      }
      return answer;
    } catch (error) {
      await recorder.failed(error);
      throw error;
    }
  }

  /** Records a request that was refused before it was run. */
  async refused(call: RecordedCall, error: unknown): Promise<void> {
    await this.#recorder(call, await isReadOnly(call.operation)).failed(error);
  }

  /** What is to be called before changes of a call that is recorded only if it makes some. */
  onlyChanges(call: RecordedCall): BeforeChange {
    let recorder: AuditRecorder | undefined;
    return async () => {
      const readOnly = await isReadOnly(call.operation);
      recorder ??= this.#recorder(call, readOnly);
      await recorder.beforeCommit();
    };
  }

  #recorder(call: RecordedCall, readOnly: boolean): AuditRecorder {
    return new AuditRecorder(this.#sink, (error) =>
      auditEvent({
        operation: call.operation,
        request: call.request,
        requestId: call.requestId,
        keyArns: call.keyArns,
        region: this.#region,
        accountId: this.#caller.accountId,
        caller: this.#caller,
        readOnly,
        now: this.#now(),
        error,
      }),
    );
  }
}

/** Whether an operation changes nothing; an unknown one might. */
async function isReadOnly(name: string): Promise<boolean> {
  if (!isOffered(name)) return false;
  // One that cannot be loaded fails in its own words when it is run.
  const operation = loadedOperation(name) ?? (await loadOperation(name).catch(() => undefined));
  return operation?.readOnly ?? false;
}
