import { ConfigurationError } from './configuration-error.ts';

/**
 * Refuses unknown options: otherwise a misspelt option would silently keep its default.
 *
 * @throws ConfigurationError that names the unknown and the known options, or says what came
 *   instead
 */
export function requireKnown(taker: string, options: object, known: Readonly<object>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const came = options === null ? 'null' : Array.isArray(options) ? 'an array' : typeof options;
    throw new ConfigurationError(`${taker} must be given an object, not ${came}`, {
      hint: `it has ${Object.keys(known).join(', ')}`,
    });
  }
  // Every request comes through here: allocate nothing unless something is wrong.
  for (const name in options) {
    if (!Object.hasOwn(known, name) && Object.hasOwn(options, name)) {
      throw unknownOptions(taker, options, known);
    }
  }
}

function unknownOptions(
  taker: string,
  options: object,
  known: Readonly<object>,
): ConfigurationError {
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(known, name));
  const names = unknown.map((name) => `'${name}'`).join(', ');
  return new ConfigurationError(`${taker} has no option ${names}`, {
    hint: `it has ${Object.keys(known).join(', ')}`,
  });
}
