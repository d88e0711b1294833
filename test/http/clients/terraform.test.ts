import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer } from '../../support/server-process.mjs';

interface Settings {
  readonly url: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly description: string;
}

const requirements =
  'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n';

/** Of two regions, whose requests go to the same URL. */
const provider = (region: string, settings: Omit<Settings, 'description'>) => `
provider "aws" {
  ${region === 'us-west-2' ? 'alias = "west"' : ''}
  region                      = "${region}"
  access_key                  = "${settings.accessKeyId}"
  secret_key                  = "${settings.secretAccessKey}"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {
    kms = "${settings.url}"
  }
}
`;

const configuration = ({ url, accessKeyId, secretAccessKey, description }: Settings) => `
${requirements}
${['us-east-1', 'us-west-2'].map((region) => provider(region, { url, accessKeyId, secretAccessKey })).join('')}
resource "aws_kms_key" "sealing" {
  description             = "${description}"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  tags                    = { stage = "test" }
}
resource "aws_kms_alias" "sealing" {
  name          = "alias/terraform"
  target_key_id = aws_kms_key.sealing.key_id
}
resource "aws_kms_grant" "alice" {
  key_id            = aws_kms_key.sealing.key_id
  grantee_principal = "arn:aws:iam::000000000000:user/alice"
  operations        = ["Decrypt", "GenerateDataKeyPairWithoutPlaintext"]
}
resource "aws_kms_ciphertext" "secret" {
  key_id    = aws_kms_key.sealing.key_id
  plaintext = "attack at dawn"
}
resource "aws_kms_grant" "bound" {
  key_id            = aws_kms_key.sealing.key_id
  grantee_principal = "arn:aws:iam::000000000000:user/alice"
  operations        = ["Encrypt"]
  constraints {
    encryption_context_equals = { stage = "test" }
  }
}
resource "aws_kms_key" "everywhere" {
  multi_region            = true
  deletion_window_in_days = 7
}
resource "aws_kms_replica_key" "west" {
  provider                = aws.west
  primary_key_arn         = aws_kms_key.everywhere.arn
  description             = "${description}"
  deletion_window_in_days = 7
}
resource "aws_kms_key" "signing" {
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_P256"
  deletion_window_in_days  = 7
}
data "aws_kms_public_key" "signing" {
  key_id = aws_kms_key.signing.arn
}
output "sealing" {
  value = aws_kms_key.sealing.key_id
}
output "west" {
  value = aws_kms_replica_key.west.arn
}
output "signing" {
  value = data.aws_kms_public_key.signing.public_key_pem
}
`;

// The provider, of 700 megabytes, comes from where the user's Terraform has it from: without it, or without
// Terraform, there is nothing to try.
const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
writeFileSync(path.join(folder, 'main.tf'), requirements);
const environment = { ...process.env, CHECKPOINT_DISABLE: '1', AWS_EC2_METADATA_DISABLED: 'true' };
const options = { cwd: folder, env: environment };
const hasTerraform = spawnSync('terraform', ['init'], { ...options, timeout: 60_000 }).status === 0;

let server: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  expect(await server.stop()).toBe(0);
});

async function terraform(command: string, ...args: string[]): Promise<string> {
  const all = [command, '-no-color', '-input=false', ...args];
  return (await promisify(execFile)('terraform', all, options)).stdout;
}

describe.runIf(hasTerraform)('Terraform', { timeout: 900_000 }, () => {
  it('makes keys, finds them as it made them, changes and deletes them', async () => {
    const credentials = await server.accessKey();
    const { url } = server;
    const write = (description: string) => {
      const text = configuration({ url, ...credentials, description });
      writeFileSync(path.join(folder, 'main.tf'), text);
    };
    write('made by Terraform');
    expect(await terraform('apply', '-auto-approve')).toContain('Resources: 8 added');
    const { sealing, signing, west } = JSON.parse(
      (await promisify(execFile)('terraform', ['output', '-json'], options)).stdout,
    );
    expect(signing.value).toContain('BEGIN PUBLIC KEY');
    expect(west.value).toContain(':kms:us-west-2:');
    // The exit code tells of differences.
    expect(await terraform('plan', '-detailed-exitcode')).toContain('No changes.');
    write('changed by Terraform');
    expect(await terraform('apply', '-auto-approve')).toContain('0 added, 2 changed, 0 destroyed');
    const client = new KMSClient({ endpoint: url, region: 'us-east-1', credentials });
    const describeKey = new DescribeKeyCommand({ KeyId: sealing.value });
    const { KeyMetadata } = await client.send(describeKey);
    expect(KeyMetadata?.Description).toBe('changed by Terraform');
    expect(await terraform('destroy', '-auto-approve')).toContain('Resources: 8 destroyed');
    expect((await client.send(describeKey)).KeyMetadata?.KeyState).toBe('PendingDeletion');
    client.destroy();
  });
});
