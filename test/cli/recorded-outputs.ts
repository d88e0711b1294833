import { readFileSync } from 'node:fs';
import { kebabCase } from '../../lib/cli/arguments/operation-names.ts';
import { operationNames } from '../../lib/cli/help/operation-descriptions.ts';
import { operationShapes } from '../../lib/model/shapes.ts';
import { fromJson } from '../../lib/model/wire.ts';
import { type Outcome, run } from './run.ts';

/** What the AWS CLI did with a command line and the responses that it got. */
export interface RecordedOutput {
  readonly response: string;
  readonly args: readonly string[];
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly requests: readonly object[];
}

export const recordedOutputs: readonly RecordedOutput[] = read('outputs.json');
export const responses: Readonly<Record<string, readonly object[]>> = read('responses.json');

/** Runs the command on a service that gives these responses, the last of them again and again. */
export async function runOn(
  given: readonly object[],
  args: readonly string[],
): Promise<Outcome & { readonly requests: readonly object[] }> {
  const name = operationNames.find((operation) => kebabCase(operation) === args[0]);
  const output = name && operationShapes[name].output;
  const left = [...given];
  const outcome = await run(args, async () => {
    const body = (left.length > 1 ? left.shift() : left[0]) as object;
    return output === undefined ? {} : (fromJson(output, body) as object);
  });
  const requests = outcome.calls.map(({ request }) => JSON.parse(JSON.stringify(request, asWire)));
  return { ...outcome, requests };
}

function asWire(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`recorded/${name}`, import.meta.url), 'utf8'));
}
