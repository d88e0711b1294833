import { ConfigurationError } from './configuration-error.ts';

/**
 * Refuses options that nothing would read: a misspelt one would quietly have its default.
 *
 * @throws ConfigurationError that names them and those that there are
 */
export function requireKnown(taker: string, options: object, known: Readonly<object>): void {
  const unknown = Object.keys(options).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length === 0) return;
  const names = unknown.map((name) => `'${name}'`).join(', ');
  throw new ConfigurationError(`${taker} has no option ${names}`, {
    hint: `it has ${Object.keys(known).join(', ')}`,
  });
}
