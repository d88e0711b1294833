import { plainAddress } from '../core/ip-address.ts';
import type { Tag } from '../model/types.ts';
import { type Principal, uniqueId } from './principal.ts';
import type { Read, RequestFacts, Value } from './request-facts.ts';

/**
 * How pairmint treats a condition key. `given`: requests have it, and when. `absent`: no request
 * that pairmint serves can have it, so it is rightly absent. `unknown`: AWS would have a value that
 * pairmint does not know, so policies with it are refused.
 */
export type Standing =
  | { readonly given: string; readonly read: Read }
  | { readonly absent: string }
  | { readonly unknown: string };

const every = 'every request';
const overHttp = 'requests over HTTP';
const temporary = 'temporary credentials';
const noServiceCalls = 'AWS services call nothing here';
const noOrganizations = 'pairmint knows no organizations';
const noEndpoints = 'pairmint does not know what network a request came through';
export const notAuthenticated = 'pairmint does not know who authenticated a session';
const noDelivery = 'pairmint does not know where credentials were delivered';

const always = (read: Read): Standing => ({ given: every, read });
const whenSent = (read: Read): Standing => ({ given: overHttp, read });
const ofServices: Standing = { absent: noServiceCalls };
const ofOrganizations: Standing = { unknown: noOrganizations };
const ofEndpoints: Standing = { unknown: noEndpoints };
const ofDelivery: Standing = { unknown: noDelivery };

/** IAM User Guide, AWS global condition context keys: all of them, in its order. */
export const globalKeys: Readonly<Record<string, Standing>> = {
  // Of roles without the path, which is not known of their sessions.
  'aws:PrincipalArn': always(({ caller }) => caller.role ?? caller.arn),
  'aws:PrincipalAccount': always(({ caller }) => caller.accountId || undefined),
  'aws:PrincipalOrgPaths': ofOrganizations,
  'aws:PrincipalOrgID': ofOrganizations,
  'aws:PrincipalTag/': { unknown: 'pairmint knows no tags of principals' },
  'aws:PrincipalIsAWSService': always(({ caller }) => caller.kind === 'service'),
  'aws:PrincipalServiceName': ofServices,
  'aws:PrincipalServiceNamesList': ofServices,
  'aws:PrincipalType': always(({ caller }) => principalTypes[caller.kind]),
  'aws:userid': always(({ caller }) => uniqueId(caller)),
  'aws:username': {
    given: 'users',
    read: ({ caller }) => (caller.kind === 'user' ? caller.name : undefined),
  },
  'aws:AssumedRoot': { absent: 'no credentials here are of AssumeRoot' },
  'aws:FederatedProvider': { unknown: notAuthenticated },
  'aws:TokenIssueTime': {
    given: temporary,
    read: ({ tokenIssueTime }) => tokenIssueTime && new Date(tokenIssueTime),
  },
  'aws:SignInSessionArn': { absent: 'no credentials here are of AWS Sign-In' },
  'aws:MultiFactorAuthAge': { absent: 'no credentials here are issued by MFA' },
  'aws:MultiFactorAuthPresent': {
    given: temporary,
    read: ({ tokenIssueTime }) => (tokenIssueTime === undefined ? undefined : false),
  },
  'aws:ChatbotSourceArn': { absent: 'no credentials here are of Amazon Q Developer' },
  'aws:Ec2InstanceSourceVpc': ofDelivery,
  'aws:Ec2InstanceSourcePrivateIPv4': ofDelivery,
  'aws:SourceIdentity': { unknown: 'pairmint knows no source identities' },
  'ec2:RoleDelivery': ofDelivery,
  'ec2:SourceInstanceArn': ofDelivery,
  'glue:RoleAssumedBy': ofDelivery,
  'glue:CredentialIssuingService': ofDelivery,
  'codebuild:BuildArn': ofDelivery,
  'codebuild:ProjectArn': ofDelivery,
  'lambda:SourceFunctionArn': ofDelivery,
  'ssm:SourceInstanceArn': ofDelivery,
  'identitystore:UserId': ofDelivery,
  'aws:SourceIp': whenSent(({ origin }) => {
    return origin?.sourceIp === undefined ? undefined : plainAddress(origin.sourceIp);
  }),
  'aws:SourceVpc': ofEndpoints,
  'aws:SourceVpcArn': ofEndpoints,
  'aws:SourceVpce': ofEndpoints,
  'aws:VpceAccount': ofEndpoints,
  'aws:VpceOrgID': ofEndpoints,
  'aws:VpceOrgPaths': ofEndpoints,
  'aws:VpcSourceIp': ofEndpoints,
  'aws:ResourceAccount': always(({ key, caller }) => {
    return key?.accountId ?? (caller.accountId || undefined);
  }),
  'aws:ResourceOrgID': ofOrganizations,
  'aws:ResourceOrgPaths': ofOrganizations,
  'aws:ResourceTag/': { given: 'keys with such a tag', read: () => undefined },
  'aws:CalledVia': ofServices,
  'aws:CalledViaFirst': ofServices,
  'aws:CalledViaLast': ofServices,
  'aws:CalledViaAWSMCP': ofServices,
  'aws:ViaAWSService': always(() => false),
  'aws:ViaAWSMCPService': always(() => false),
  'aws:CurrentTime': always(({ now }) => new Date(now)),
  'aws:EpochTime': always(({ now }) => Math.floor(now / 1000)),
  'aws:referer': {
    given: 'requests over HTTP that have the field',
    read: ({ origin }) => origin?.referer,
  },
  'aws:RequestedRegion': always(({ region }) => region),
  'aws:RequestTag/': { given: 'requests with such a tag', read: () => undefined },
  'aws:TagKeys': { given: 'requests with tags', read: tagKeys },
  'aws:SecureTransport': whenSent(({ origin }) => origin?.secureTransport),
  'aws:SourceAccount': ofServices,
  'aws:SourceArn': ofServices,
  'aws:SourceOrgID': ofServices,
  'aws:SourceOrgPaths': ofServices,
  // Empty if the client sends no such field: on AWS the key is always present.
  'aws:UserAgent': whenSent(({ origin }) => origin && (origin.userAgent ?? '')),
  'aws:IsMcpServiceAction': { absent: 'no action here is of the MCP service' },
};

const principalTypes: Readonly<Record<Principal['kind'], string | undefined>> = {
  root: 'Account',
  user: 'User',
  role: 'AssumedRole',
  'assumed-role': 'AssumedRole',
  'federated-user': 'FederatedUser',
  service: undefined,
};

function tagKeys({ request }: RequestFacts): Value {
  const { Tags: tags, TagKeys: keys } = request as { Tags?: Tag[]; TagKeys?: string[] };
  return keys ?? tags?.map(({ TagKey }) => TagKey as string);
}
