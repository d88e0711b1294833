import { randomUUID } from 'node:crypto';
import { isOffered, loadedOperation, loadOperation } from '../operations/index.ts';
import type { Principal } from '../policy/principal.ts';
import type { BeforeChange } from '../store/after.ts';
import { AuditRecorder, type AuditSink, auditEvent } from './audit.ts';

/** The part of a request that the audit records besides the outcome. */
export interface RecordedCall {
  readonly operation: string;
  /** Undefined if it does not fit the model. */
  readonly request: object | undefined;
  readonly requestId: string;
  /** The ARNs of the keys that the request uses. */
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
   * Runs a request and records it; a request that changes something is recorded before its commit.
   * A batch gets one event per answer, as in CloudTrail.
   *
   * @param run gets a function that it must call before each change
   */
  async recorded<T>(
    call: RecordedCall,
    run: (beforeChange: BeforeChange) => Promise<T>,
    { count = 1 }: { count?: number } = {},
  ): Promise<T> {
    const recorder = this.#recorder(call);
    try {
      const answer = await run(() => recorder.beforeCommit());
      const mayFail = isReadOnly(call.operation);
      await recorder.succeeded({ mayFail });
      for (let i = 1; i < count; i++) {
        await this.#recorder({ ...call, requestId: randomUUID() }).succeeded({ mayFail });
      }
      return answer;
    } catch (error) {
      await load(call.operation);
      await recorder.failed(error);
      throw error;
    }
  }

  /** Records a request that was refused before it was run. */
  async refused(call: RecordedCall, error: unknown): Promise<void> {
    await load(call.operation);
    await this.#recorder(call).failed(error);
  }

  /**
   * The function to call before each change, for a call that is recorded only if it changes
   * something.
   */
  onlyChanges(call: RecordedCall): BeforeChange {
    let recorder: AuditRecorder | undefined;
    return async () => {
      await load(call.operation);
      recorder ??= this.#recorder(call);
      await recorder.beforeCommit();
    };
  }

  #recorder(call: RecordedCall): AuditRecorder {
    return new AuditRecorder(this.#sink, (error) =>
      auditEvent({
        operation: call.operation,
        request: call.request,
        requestId: call.requestId,
        keyArns: call.keyArns,
        region: this.#region,
        accountId: this.#caller.accountId,
        caller: this.#caller,
        readOnly: isReadOnly(call.operation),
        now: this.#now(),
        error,
      }),
    );
  }
}

/** Whether a loaded operation changes nothing. An operation that is not loaded might. */
function isReadOnly(name: string): boolean {
  return loadedOperation(name)?.readOnly ?? false;
}

/** Loads the operation of a request that may have failed before it was loaded. */
async function load(name: string): Promise<void> {
  // An operation that cannot be loaded says so when it runs.
  if (isOffered(name) && loadedOperation(name) === undefined) {
    await loadOperation(name).catch(() => undefined);
  }
}
