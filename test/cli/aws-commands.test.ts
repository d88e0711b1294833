import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/folders.ts';
import { run, runRemote } from './run.ts';
import { createCredentials, during, startServe } from './servers.ts';

// As AWS CLI 2.9.19 does.

let folder: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  folder = temporaryFolder();
  env = {
    AWS_CONFIG_FILE: `${folder}/.aws/config`,
    AWS_SHARED_CREDENTIALS_FILE: `${folder}/.aws/credentials`,
  };
});

const aws = (...args: string[]) => run(args, undefined, env);
const config = () => readFileSync(`${folder}/.aws/config`, 'utf8');
const credentials = () => readFileSync(`${folder}/.aws/credentials`, 'utf8');

describe('configure set', () => {
  it('makes the files, readable by their owner alone, with secrets in the second', async () => {
    expect(await aws('configure', 'set', 'region', 'eu-west-1')).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: '',
      opened: [],
    });
    await aws('configure', 'set', 'aws_access_key_id', 'AKIDEXAMPLE');
    await aws('configure', 'set', 'aws_secret_access_key', 'SECRETEXAMPLE1234');
    expect(config()).toBe('[default]\nregion = eu-west-1\n');
    expect(credentials()).toBe(
      '[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = SECRETEXAMPLE1234\n',
    );
    for (const file of ['config', 'credentials']) {
      expect(statSync(`${folder}/.aws/${file}`).mode & 0o777).toBe(0o600);
    }
  });

  it('changes one setting and leaves all else as it is', async () => {
    await aws('configure', 'set', 'region', 'eu-west-1');
    const before =
      '# mine\n[default]\n; not this\nregion=us-east-1\nregion_other = x\n\n# of dev\n' +
      '[profile dev]\noutput = json\n';
    writeFileSync(`${folder}/.aws/config`, before);
    await aws('configure', 'set', 'region', 'eu-west-1');
    await aws('configure', 'set', 'output', 'text');
    await aws('configure', 'set', 'region', 'ap-south-1', '--profile', 'dev');
    expect(config()).toBe(
      '# mine\n[default]\n; not this\nregion = eu-west-1\nregion_other = x\noutput = text\n\n' +
        '# of dev\n[profile dev]\noutput = json\nregion = ap-south-1\n',
    );
  });

  it('takes the names of profiles and of nested settings', async () => {
    for (const [name, value] of [
      ['region', 'eu-west-1'],
      ['profile.dev.region', 'us-west-2'],
      ['profile.a b.region', 'us-west-1'],
      ['default.s3.max_concurrent_requests', '5'],
      ['s3.addressing_style', 'path'],
      ['s3.addressing_style', 'auto'],
      ['output', 'json'],
    ] as const) {
      await aws('configure', 'set', name, value);
    }
    expect(config()).toBe(
      '[default]\nregion = eu-west-1\ns3 =\n    max_concurrent_requests = 5\n' +
        '    addressing_style = auto\noutput = json\n[profile dev]\nregion = us-west-2\n' +
        "[profile 'a b']\nregion = us-west-1\n",
    );
    expect((await aws('configure', 'get', 'region', '--profile', 'a b')).stdout).toBe(
      'us-west-1\n',
    );
  });

  it('refuses a line end, which would be another setting', async () => {
    const { exitCode } = await aws('configure', 'set', 'region', 'x\ncredential_process = y');
    expect(exitCode).toBe(252);
    expect(() => config()).toThrow();
  });
});

describe('configure get', () => {
  beforeEach(async () => {
    await aws('configure', 'set', 'region', 'eu-west-1');
    await aws('configure', 'set', 'output', 'text', '--profile', 'dev');
    await aws('configure', 'set', 'aws_access_key_id', 'AKIDEXAMPLE');
    await aws('configure', 'set', 's3.x', '6');
  });

  it.each([
    [['region'], 'eu-west-1'],
    [['default.region'], 'eu-west-1'],
    [['aws_access_key_id'], 'AKIDEXAMPLE'],
    [['output', '--profile', 'dev'], 'text'],
    [['profile.dev.output'], 'text'],
    [['dev.output'], 'text'],
    [['s3.x'], '6'],
  ])('%j prints the value', async (args, value) => {
    expect(await aws('configure', 'get', ...args)).toMatchObject({
      exitCode: 0,
      stdout: `${value}\n`,
      stderr: '',
    });
  });

  it('ends with 1 if there is no such setting, or more than one', async () => {
    for (const args of [['output'], ['region', '--profile', 'dev'], ['profile.nope.region']]) {
      const outcome = await aws('configure', 'get', ...args);
      expect(outcome).toMatchObject({ exitCode: 1, stdout: '', stderr: '' });
    }
    expect(await aws('configure', 'get', 's3')).toMatchObject({
      exitCode: 1,
      stderr: 'varname (s3) must reference a value, not a section or sub-section.',
    });
  });

  it('knows no other profile', async () => {
    const outcome = await aws('configure', 'get', 'region', '--profile', 'nope');
    expect(outcome).toMatchObject({
      exitCode: 255,
      stderr: '\nThe config profile (nope) could not be found\n',
    });
  });
});

describe('configure list', () => {
  const head =
    '      Name                    Value             Type    Location\n' +
    '      ----                    -----             ----    --------\n';

  it('says that nothing is set', async () => {
    expect((await aws('configure', 'list')).stdout).toBe(
      `${head}` +
        '   profile                <not set>             None    None\n' +
        'access_key                <not set>             None    None\n' +
        'secret_key                <not set>             None    None\n' +
        '    region                <not set>             None    None\n',
    );
  });

  it('says what is set in files', async () => {
    await aws('configure', 'set', 'region', 'eu-west-1');
    await aws('configure', 'set', 'aws_access_key_id', 'AKIDEXAMPLE');
    await aws('configure', 'set', 'aws_secret_access_key', 'SECRETEXAMPLE1234');
    expect((await aws('configure', 'list')).stdout).toBe(
      `${head}` +
        '   profile                <not set>             None    None\n' +
        'access_key     ****************MPLE shared-credentials-file    \n' +
        'secret_key     ****************1234 shared-credentials-file    \n' +
        `    region                eu-west-1      config-file    ${folder}/.aws/config\n`,
    );
  });

  it('says what is set in the environment, and by the command line', async () => {
    await aws('configure', 'set', 'output', 'json', '--profile', 'dev');
    env = {
      ...env,
      AWS_ACCESS_KEY_ID: 'AKIAANY',
      AWS_SECRET_ACCESS_KEY: 'any',
      AWS_REGION: 'us-east-1',
    };
    expect((await aws('configure', 'list')).stdout).toBe(
      `${head}` +
        '   profile                <not set>             None    None\n' +
        'access_key     ****************AANY              env    \n' +
        'secret_key      ****************any              env    \n' +
        "    region                us-east-1              env    ['AWS_REGION', 'AWS_DEFAULT_REGION']\n",
    );
    const { stdout } = await aws('configure', 'list', '--profile', 'dev');
    expect(stdout).toContain('   profile                      dev           manual    --profile\n');
    expect(stdout).toContain('access_key                <not set>             None    None\n');
    env = { ...env, AWS_PROFILE: 'dev' };
    expect((await aws('configure', 'list')).stdout).toContain(
      "   profile                      dev              env    ['AWS_PROFILE', 'AWS_DEFAULT_PROFILE']\n",
    );
  });
});

describe('configure', () => {
  it.each([
    [['configure'], 'the following arguments are required: subcommand'],
    [['configure', 'bogus'], 'argument subcommand: Invalid choice'],
    [['configure', 'get'], 'the following arguments are required: varname'],
    [['configure', 'set', 'region'], 'the following arguments are required: value'],
    [['configure', 'list', 'x'], 'Unknown options: x'],
  ])('%j is refused', async (args, text) => {
    const { exitCode, stderr } = await aws(...args);
    expect(exitCode).toBe(252);
    expect(stderr).toContain(text);
  });
});

describe('sts get-caller-identity', () => {
  const sts = ['sts', 'get-caller-identity'];

  it('says which principal requests to the local store are made as', async () => {
    const { exitCode, stdout } = await aws(...sts);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      UserId: '000000000000',
      Account: '000000000000',
      Arn: 'arn:aws:iam::000000000000:root',
    });
    const account = await aws(...sts, '--query', 'Account', '--output', 'text');
    expect(account).toMatchObject({ exitCode: 0, stdout: '000000000000\n' });
  });

  it('asks a server', async () => {
    const home = temporaryFolder();
    const remote = { ...env, ...createCredentials(home), AWS_REGION: 'us-east-1' };
    const { url } = await during(startServe(home));
    const asked = await runRemote([...sts, '--query', 'Arn', '--output', 'text'], {
      ...remote,
      AWS_ENDPOINT_URL: url,
    });
    expect(asked).toMatchObject({
      exitCode: 0,
      stdout: 'arn:aws:iam::000000000000:root\n',
      stderr: '',
    });
    const stranger = { ...remote, AWS_SECRET_ACCESS_KEY: 'another', AWS_ENDPOINT_URL: url };
    const refused = await runRemote(sts, stranger);
    expect(refused.exitCode).toBe(254);
    expect(refused.stderr).toContain('when calling the GetCallerIdentity operation');
  });

  it.each([
    [['sts'], 'the following arguments are required: operation'],
    [['sts', 'assume-role'], 'argument operation: Invalid choice'],
    [[...sts, 'x'], 'Unknown options: x'],
  ])('%j is refused', async (args, text) => {
    const { exitCode, stderr, opened } = await aws(...args);
    expect({ exitCode, opened }).toEqual({ exitCode: 252, opened: [] });
    expect(stderr).toContain(text);
  });
});
