// tsc writes plain files; npm's links in node_modules/.bin need an executable one.
import { chmodSync } from 'node:fs';

chmodSync(new URL('../../dist/cli/bin.js', import.meta.url), 0o755);
