// Prints the sources of the named groups of sources.json, one a line, relative to the directory
// it is run in; GYP calls it. It is run in the directory of the binding.gyp that asks.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const groups = JSON.parse(readFileSync(path.join(root, 'native/sources.json'), 'utf8'));
for (const group of process.argv.slice(2)) {
  for (const file of groups[group]) {
    console.log(path.relative(process.cwd(), path.join(root, file)).replaceAll(path.sep, '/'));
  }
}
