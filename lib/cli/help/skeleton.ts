import type { ListShape, MapShape, Shape, StringShape, StructureShape } from '../../model/shape.ts';
import { type OperationName, operationShapes, type ShapeName, shapes } from '../../model/shapes.ts';
import { memberDescriptions } from './member-descriptions.ts';

type Json = string | number | boolean | null | Json[] | { readonly [name: string]: Json };

/**
 * A request to fill in, as the AWS CLI writes it. The comments in YAML have our own sentences where
 * the AWS CLI has AWS's documentation.
 */
export function skeleton(operation: OperationName, kind: 'input' | 'yaml-input'): string {
  const { input } = operationShapes[operation];
  return kind === 'input'
    ? `${JSON.stringify(sampleRequest(input), undefined, 4)}\n`
    : yamlStructure(shapes[input] as StructureShape, '');
}

/**
 * A response that fits the model, in the types of the API. Texts are named after their members, as
 * the AWS CLI's are; it refuses its own sample wherever that breaks a constraint, and ours fits.
 */
export function sampleResponse(operation: OperationName): object | undefined {
  const { output } = operationShapes[operation];
  return output === undefined ? undefined : (sample(output, output) as object);
}

// Where corrections.json gives the values as the service lists them; a skeleton has the first of the
// published model.
const publishedFirst: Readonly<Partial<Record<ShapeName, readonly string[]>>> = {
  EncryptionAlgorithmSpec: ['SYMMETRIC_DEFAULT'],
  KeyUsageType: ['SIGN_VERIFY'],
  MacAlgorithmSpec: ['HMAC_SHA_224', 'HMAC_SHA_256'],
};
const publishedLast: Readonly<Partial<Record<ShapeName, readonly string[]>>> = {
  KeySpec: ['ECC_NIST_EDWARDS25519', 'ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024'],
  SigningAlgorithmSpec: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
};

function publishedValues(name: ShapeName): readonly string[] {
  const { enum: values = [] } = shapes[name] as StringShape;
  const first = publishedFirst[name] ?? [];
  const last = publishedLast[name] ?? [];
  const others = values.filter((value) => !first.includes(value) && !last.includes(value));
  return [...first, ...others, ...last];
}

function sampleRequest(name: ShapeName): Json {
  const shape = shapes[name];
  switch (shape.type) {
    case 'structure': {
      const members = Object.entries(shape.members);
      return Object.fromEntries(members.map(([member, type]) => [member, sampleRequest(type)]));
    }
    case 'list':
      return [sampleRequest(shape.member)];
    case 'map':
      return { KeyName: sampleRequest(shape.value) };
    case 'blob':
      return null;
    case 'timestamp':
      return '1970-01-01T00:00:00';
    default:
      return sampleScalar(name, shape);
  }
}

function sampleScalar(name: ShapeName, shape: Shape): string | number | boolean {
  if (shape.type === 'string') return publishedValues(name)[0] ?? '';
  return shape.type === 'integer' ? 0 : true;
}

/** Block style. Python's writer keeps two spaces before the first comment of a structure. */
function yamlStructure(shape: StructureShape, indent: string): string {
  const lines = Object.entries(shape.members).map(([member, type], index) => {
    const { inline, below } = yamlValue(type, indent);
    const value = inline === '' ? '' : ` ${inline}`;
    const space = index === 0 ? '  ' : ' ';
    return `${indent}${member}:${value}${space}# ${comment(shape, member, type)}\n${below}`;
  });
  return lines.join('');
}

function yamlValue(name: ShapeName, indent: string): { inline: string; below: string } {
  const shape = shapes[name];
  const deeper = `${indent}  `;
  switch (shape.type) {
    case 'structure':
      return { inline: '', below: yamlStructure(shape, deeper) };
    case 'map':
      return { inline: '', below: `${deeper}KeyName: ${yamlEntry(shape)}\n` };
    case 'list':
      return { inline: '', below: yamlItem(shape, indent) };
    default:
      return { inline: yamlScalar(name, shape), below: '' };
  }
}

function yamlEntry({ value }: MapShape): string {
  return yamlScalar(value, shapes[value]);
}

/** The dash stands below the member's name, and what it marks two columns to the right. */
function yamlItem({ member }: ListShape, indent: string): string {
  const shape = shapes[member];
  const item =
    shape.type === 'structure'
      ? yamlStructure(shape, `${indent}  `).trimStart()
      : `${yamlScalar(member, shape)}\n`;
  return `${indent}- ${item}`;
}

function yamlScalar(name: ShapeName, shape: Shape): string {
  if (shape.type === 'blob') return "!!binary ''";
  if (shape.type === 'timestamp') return '1970-01-01 00:00:00';
  return String(sampleScalar(name, shape)) || "''";
}

function comment({ required = [] }: StructureShape, member: string, type: ShapeName): string {
  const shape = shapes[type];
  const values = shape.type === 'string' ? publishedValues(type) : [];
  return [
    ...(required.includes(member) ? ['[REQUIRED]'] : []),
    memberDescriptions[member] ?? '',
    ...(values.length > 0 ? [`Valid values are: ${values.join(', ')}.`] : []),
  ].join(' ');
}

// For texts that their members' names would not do for.
const fittingTexts: Readonly<Partial<Record<ShapeName, string>>> = {
  ArnType: 'arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  BackingKeyIdResponseType: '0'.repeat(64),
  BackingKeyIdType: '0'.repeat(64),
  CloudHsmClusterIdType: 'cluster-abcdefg2345',
  GrantConstraintSourceArnType: 'arn:aws:s3:us-east-1:000000000000:example',
  RegionType: 'us-east-1',
  ServicePrincipalType: 's3.amazonaws.com',
  XksProxyAuthenticationAccessKeyIdType: 'ABCDEFGHIJKLMNOPQRST',
  XksProxyUriEndpointType: 'https://xks.example.com',
  XksProxyUriPathType: '/kms/xks/v1',
  XksProxyVpcEndpointServiceNameType: 'com.amazonaws.vpce.us-east-1.vpce-svc-example',
  AccountIdType: '000000000000',
};

function sample(name: ShapeName, member: string): unknown {
  const shape = shapes[name];
  switch (shape.type) {
    case 'structure': {
      const members = Object.entries(shape.members);
      return Object.fromEntries(members.map(([inner, type]) => [inner, sample(type, inner)]));
    }
    case 'list':
      return [sample(shape.member, shape.member)];
    case 'map':
      return { KeyName: sample(shape.value, '') };
    case 'blob':
      return new TextEncoder().encode(member);
    case 'timestamp':
      return new Date(0);
    case 'integer':
      return shape.min ?? 0;
    case 'boolean':
      return true;
    case 'string':
      return fittingTexts[name] ?? shape.enum?.[0] ?? member;
  }
}
