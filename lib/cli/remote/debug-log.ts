import { packageVersion } from '../../core/package-version.ts';
import { type OperationName, operationShapes, type ShapeName, shapes } from '../../model/shapes.ts';
import { memberShape, requestOptions } from '../arguments/operation-options.ts';
import type { TextSink } from '../context.ts';
import { pythonRepr } from '../python/python-text.ts';

const masked = '***';

/**
 * The output of `--debug`, laid out as the AWS CLI's log. It may be read by others than the user,
 * so it has no plaintext, password or signature.
 */
export class DebugLog {
  readonly #sink: TextSink;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  start(argv: readonly string[]): void {
    this.write('main', `CLI version: pairmint/${packageVersion()} node/${process.versions.node}`);
    this.write('main', `Arguments entered to CLI: ${pythonRepr(maskArguments(argv))}`);
  }

  request(operation: OperationName, request: object): void {
    const shown = JSON.stringify(maskMembers(operationShapes[operation].input, request));
    this.write('service', `Making request for ${operation} with params: ${shown}`);
  }

  sending(method: string, url: string, headers: Readonly<Record<string, string>>): void {
    const shown = { ...headers };
    for (const name of ['authorization', 'x-amz-security-token']) {
      if (name in shown) shown[name] = masked;
    }
    const where = `${method} ${withoutPassword(url)}`;
    this.write('remote', `Sending http request: ${where} ${JSON.stringify(shown)}`);
  }

  write(area: string, message: string): void {
    this.#sink.write(
      `${timeText(new Date())} - MainThread - pairmint.${area} - DEBUG - ${message}\n`,
    );
  }
}

/** Python's logging writes local time and milliseconds behind a comma. */
function timeText(now: Date): string {
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return local.toISOString().replace('T', ' ').replace('.', ',').slice(0, -1);
}

const optionName = /^--[a-z][a-z0-9-]*$/;

/** Masks what follows an option for secrets, however that is abbreviated. */
function maskArguments(argv: readonly string[]): string[] {
  const secret = secretOptions();
  let masking = false;
  return argv.map((word) => {
    const [name = '', ...value] = word.split('=');
    // A text with spaces may be a value although it begins as an option, see argument-parser.ts.
    if (optionName.test(name) && !(masking && word.includes(' '))) {
      masking = [...secret].some((option) => option.startsWith(name));
      return masking && value.length > 0 ? `${name}=${masked}` : withoutPassword(word);
    }
    return masking ? masked : withoutPassword(word);
  });
}

/** Masks who logs in and how in a URL, written as leniently as `URL` reads it. */
function withoutPassword(text: string): string {
  return text
    .replace(/(https?:[\\/]*)[^\\/?#]*@/i, `$1${masked}@`)
    .replace(/(postgres(?:ql)?:\/*).*@/i, `$1${masked}@`);
}

function secretOptions(): ReadonlySet<string> {
  const options = (Object.keys(operationShapes) as OperationName[])
    .flatMap((operation) => requestOptions(operation))
    .filter(({ shape }) => holdsSecret(shape))
    .map(({ option }) => option);
  return new Set([...options, '--cli-input-json', '--cli-input-yaml']);
}

function holdsSecret(name: ShapeName): boolean {
  const shape = shapes[name];
  if (shape.type === 'structure') return Object.values(shape.members).some(holdsSecret);
  return 'sensitive' in shape;
}

function maskMembers(name: ShapeName, value: unknown): unknown {
  const shape = shapes[name];
  if (holdsSecret(name) && shape.type !== 'structure') return masked;
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return value;
  if (shape.type !== 'structure') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const inner = memberShape(shape, key);
      return [key, inner === undefined ? masked : maskMembers(inner, member)];
    }),
  );
}
