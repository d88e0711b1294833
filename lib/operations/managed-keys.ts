import type { NewKeyRecord } from '../keys/key-record.ts';
import { dayInMilliseconds } from '../keys/settlement.ts';
import { rootArn } from '../policy/principal.ts';

/** An AWS service that has a key of its own in every account that uses it. */
interface ManagingService {
  /** Its name in the key's policy. */
  readonly title: string;
  /** What the key protects, for its description. */
  readonly protects: string;
  /** The first label of its host name, if it differs from the name in the alias. */
  readonly host?: string;
}

const prefix = 'alias/aws/';

/** The predefined aliases, by what follows `alias/aws/` (KMS Developer Guide, kms:ViaService). */
const services: Readonly<Record<string, ManagingService>> = {
  acm: { title: 'ACM', protects: 'ACM private keys' },
  backup: { title: 'Backup', protects: 'Backup data' },
  codecommit: { title: 'CodeCommit', protects: 'CodeCommit repositories' },
  dms: { title: 'DMS', protects: 'DMS replication instance volumes' },
  dynamodb: { title: 'Amazon DynamoDB', protects: 'DynamoDB data' },
  ebs: { title: 'EBS', protects: 'EBS volumes', host: 'ec2' },
  elasticfilesystem: { title: 'EFS', protects: 'EFS filesystems' },
  es: { title: 'Amazon Elasticsearch Service', protects: 'Elasticsearch data' },
  fsx: { title: 'FSx', protects: 'FSx resources' },
  glue: { title: 'Glue', protects: 'Glue data' },
  kinesis: { title: 'Kinesis', protects: 'Kinesis data' },
  kinesisvideo: { title: 'Kinesis Video Streams', protects: 'Kinesis Video Streams data' },
  lambda: { title: 'AWS Lambda', protects: 'Lambda functions' },
  rds: { title: 'RDS', protects: 'RDS database volumes' },
  redshift: { title: 'Redshift', protects: 'Redshift clusters' },
  s3: { title: 'Amazon S3', protects: 'S3 objects' },
  secretsmanager: { title: 'AWS Secrets Manager', protects: 'Secrets Manager data' },
  sns: { title: 'SNS', protects: 'SNS data' },
  sqs: { title: 'SQS', protects: 'SQS messages' },
  ssm: { title: 'SSM', protects: 'SSM parameters' },
  workspaces: { title: 'WorkSpaces', protects: 'WorkSpaces data' },
  xray: { title: 'X-Ray', protects: 'X-Ray data' },
};

export const predefinedAliases: readonly string[] = Object.keys(services).map(
  (name) => `${prefix}${name}`,
);

// AWS rotates its managed keys every year, and that cannot be changed.
const rotationPeriodInDays = 365;

/**
 * Turns the record of a new symmetric key into that of an AWS managed key, without its alias;
 * undefined if the alias is not a predefined one.
 *
 * The key's policy keeps all callers from managing it: even the account's root may only look at it,
 * and only the service may use it.
 */
export function managedKey(alias: string, key: NewKeyRecord): NewKeyRecord | undefined {
  const name = alias.slice(prefix.length);
  if (!alias.startsWith(prefix) || !Object.hasOwn(services, name)) return undefined;
  const service = services[name] as ManagingService;
  return {
    ...key,
    keyManager: 'AWS',
    description: `Default key that protects my ${service.protects} when no other key is defined`,
    policy: policyOf(name, service, key),
    rotation: {
      periodInDays: rotationPeriodInDays,
      nextDate: key.creationDate + rotationPeriodInDays * dayInMilliseconds,
    },
  };
}

function policyOf(
  name: string,
  { title, host = name }: ManagingService,
  { region, accountId }: NewKeyRecord,
): string {
  const throughService = {
    Sid:
      `Allow access through ${title} for all principals in the account that are authorized to ` +
      `use ${title}`,
    Effect: 'Allow',
    Principal: { AWS: '*' },
    Action: [
      'kms:Encrypt',
      'kms:Decrypt',
      'kms:ReEncrypt*',
      'kms:GenerateDataKey*',
      'kms:CreateGrant',
      'kms:DescribeKey',
    ],
    Resource: '*',
    Condition: {
      StringEquals: {
        'kms:CallerAccount': accountId,
        'kms:ViaService': `${host}.${region}.amazonaws.com`,
      },
    },
  };
  const metadata = {
    Sid: 'Allow direct access to key metadata to the account',
    Effect: 'Allow',
    Principal: { AWS: rootArn(accountId) },
    Action: ['kms:Describe*', 'kms:Get*', 'kms:List*', 'kms:RevokeGrant'],
    Resource: '*',
  };
  const policy = {
    Version: '2012-10-17',
    Id: `auto-${name}-1`,
    Statement: [throughService, metadata],
  };
  return JSON.stringify(policy, null, 2);
}
