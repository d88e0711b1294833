// Builds the tests' addon; `npm test` runs this first.
import { fileURLToPath } from 'node:url';
import { build } from '../../native/tools/install.mjs';

build(fileURLToPath(new URL('.', import.meta.url)));
