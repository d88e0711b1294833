// Kills processes that fill and draw on a pool, again and again, and looks for a pair that was
// answered twice or does not open: `npm run soak`, or node test/soak/pool-soak.mjs [kills]. SIGUSR2
// ends it after the round that is under way, with the figures so far.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Pairmint } from '../../dist/index.js';
import { killAgainAndAgain } from '../support/pool-kills.mjs';

const kills = Number(process.argv[2] ?? 2000);
const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-soak-'));
const places = [`sqlite:${folder}/store.db`, `${folder}/root.key`];
const open = () =>
  Pairmint.open({ store: places[0], rootKey: { file: places[1] }, refillPools: false });

const enough = new AbortController();
process.once('SIGUSR2', () => enough.abort());
const found = await killAgainAndAgain({
  open,
  places,
  rounds: Math.ceil(kills / 3),
  spec: 'ECC_NIST_EDWARDS25519',
  signal: enough.signal,
  onRound: tell,
});
rmSync(folder, { recursive: true });
const { answered, repeated, broken, strange, waiting, skipped } = found;
console.log(
  `${found.kills} kills, ${answered} pairs answered, ${repeated} of them twice, ` +
    `${broken.length} do not open, ${waiting} wait, ${skipped} skipped`,
);
for (const line of strange.slice(0, 20)) console.error(line);
process.exit(repeated + broken.length + strange.length + skipped === 0 ? 0 : 1);

function tell({ kills, answered, strange }) {
  if (kills % 60 !== 0) return;
  console.log(`${kills} kills, ${answered} pairs answered, ${strange} failures said`);
}
