interface Row {
  readonly fault: 'client' | 'server';
  readonly status: number;
}

const client: Row = { fault: 'client', status: 400 };
const server: Row = { fault: 'server', status: 500 };

/**
 * Every exception: those of AWS's model, then those of its front end and of authorisation.
 *
 * The statuses are the ones seen on the wire. The model names others for some (NotFoundException
 * 404, DisabledException 409, DryRunOperationException 412), but the JSON endpoint sends 400 for
 * whatever is the client's fault.
 */
export const kmsErrors = {
  AlreadyExistsException: client,
  CloudHsmClusterInUseException: client,
  CloudHsmClusterInvalidConfigurationException: client,
  CloudHsmClusterNotActiveException: client,
  CloudHsmClusterNotFoundException: client,
  CloudHsmClusterNotRelatedException: client,
  ConflictException: client,
  CustomKeyStoreHasCMKsException: client,
  CustomKeyStoreInvalidStateException: client,
  CustomKeyStoreNameInUseException: client,
  CustomKeyStoreNotFoundException: client,
  DependencyTimeoutException: { fault: 'server', status: 503 },
  DisabledException: client,
  DryRunOperationException: client,
  ExpiredImportTokenException: client,
  IncorrectKeyException: client,
  IncorrectKeyMaterialException: client,
  IncorrectTrustAnchorException: client,
  InvalidAliasNameException: client,
  InvalidArnException: client,
  InvalidCiphertextException: client,
  InvalidGrantIdException: client,
  InvalidGrantTokenException: client,
  InvalidImportTokenException: client,
  InvalidKeyUsageException: client,
  InvalidMarkerException: client,
  KMSInternalException: server,
  KMSInvalidMacException: client,
  KMSInvalidSignatureException: client,
  KMSInvalidStateException: client,
  KeyUnavailableException: server,
  LimitExceededException: client,
  MalformedPolicyDocumentException: client,
  NotFoundException: client,
  TagException: client,
  UnsupportedOperationException: client,
  XksKeyAlreadyInUseException: client,
  XksKeyInvalidConfigurationException: client,
  XksKeyNotFoundException: client,
  XksProxyIncorrectAuthenticationCredentialException: client,
  XksProxyInvalidConfigurationException: client,
  XksProxyInvalidResponseException: client,
  XksProxyUriEndpointInUseException: client,
  XksProxyUriInUseException: client,
  XksProxyUriUnreachableException: client,
  XksProxyVpcEndpointServiceInUseException: client,
  XksProxyVpcEndpointServiceInvalidConfigurationException: client,
  XksProxyVpcEndpointServiceNotFoundException: client,

  AccessDeniedException: client,
  ExpiredTokenException: client,
  IncompleteSignatureException: client,
  InvalidSignatureException: client,
  MissingAuthenticationTokenException: client,
  NotAuthorizedException: client,
  SerializationException: client,
  ThrottlingException: client,
  UnknownOperationException: client,
  UnrecognizedClientException: client,
  ValidationException: client,
} as const satisfies Record<string, Row>;

export type KmsErrorName = keyof typeof kmsErrors;

// Messages quote what they refuse, which may be long. Cut out the middle: the refused value is at
// the beginning, the reason at the end.
const longestMessage = 16_384;
const shortenedStart = 12_288;
const shortenedEnd = 4095;

/**
 * The error of every failed request. `name` is AWS's exception name, as in AWS's SDK. `message` is
 * empty if AWS sends none. `cause` may hold a detail for logs, which never leaves the process.
 */
export class KmsError extends Error {
  override readonly name: KmsErrorName;
  readonly $fault: 'client' | 'server';
  readonly httpStatusCode: number;
  /** After how many seconds to try again, if known. */
  readonly retryAfter: number | undefined;

  constructor(
    name: KmsErrorName,
    message = '',
    options?: ErrorOptions & { retryAfter?: number | undefined },
  ) {
    super(shortened(message), options);
    this.retryAfter = options?.retryAfter;
    this.name = name;
    this.$fault = kmsErrors[name].fault;
    this.httpStatusCode = kmsErrors[name].status;
  }
}

function shortened(message: string): string {
  if (message.length <= longestMessage) return message;
  return `${message.slice(0, shortenedStart)}…${message.slice(-shortenedEnd)}`;
}
