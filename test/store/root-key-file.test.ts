import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, renameSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { Pairmint } from '../../lib/service/pairmint.ts';
import { temporaryFolder } from '../support/folders.ts';

const isRoot = process.getuid?.() === 0;

describe('a root key file', () => {
  let folder: string;
  let file: string;
  const open = () => Pairmint.open({ store: `sqlite:${folder}/store.db`, rootKey: { file } });
  beforeEach(async () => {
    folder = temporaryFolder();
    mkdirSync(`${folder}/keys`);
    file = `${folder}/keys/root.key`;
    await (await open()).close();
  });

  it.skipIf(!isRoot)('is refused if it belongs to another user', async () => {
    chownSync(file, 12345, 12345);
    await expect(open()).rejects.toThrow(`${file} belongs to another user; mend it with: chown `);
  });

  it.each([0o777, 0o707])(
    'is refused in a folder that anybody may write to, mode %o',
    async (mode) => {
      chmodSync(`${folder}/keys`, mode);
      await expect(open()).rejects.toThrow(
        /others may write to the folder .* chmod o-w '.*\/keys'$/,
      );
      chmodSync(`${folder}/keys`, 0o750);
      await (await open()).close();
    },
  );

  it.skipIf(!isRoot)('is refused in a folder that belongs to another user', async () => {
    chownSync(`${folder}/keys`, 12345, 12345);
    await expect(open()).rejects.toThrow(
      /the folder of the root key file .* belongs to another user; mend it with: chown 0 '.*\/keys'$/,
    );
    chownSync(`${folder}/keys`, 0, 0);
    await (await open()).close();
  });

  it('is used in a folder that all may write to, if only its owner can take it away', async () => {
    chmodSync(`${folder}/keys`, 0o1777);
    await (await open()).close();
  });

  it('is refused at once if it is a pipe without a writer', async () => {
    renameSync(file, `${file}.old`);
    execFileSync('mkfifo', ['-m', '600', file]);
    await expect(open()).rejects.toThrow('is not a regular file');
  });
});
