import { readFileSync } from 'node:fs';

/** The package's version, from the package.json above both lib/ and dist/. */
export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}
