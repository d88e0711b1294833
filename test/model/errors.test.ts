import { expect, test } from 'vitest';
import { KmsError, type KmsErrorName, kmsErrors } from '../../lib/model/errors.ts';

test('an error carries the name, the text, the fault and the status of its exception', () => {
  const cause = new Error('detail');
  const error = new KmsError('NotFoundException', 'Invalid arn x', { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'NotFoundException',
    message: 'Invalid arn x',
    $fault: 'client',
    httpStatusCode: 400,
    cause,
  });
  expect(String(error)).toBe('NotFoundException: Invalid arn x');
});

test('an error without text has an empty message and no cause', () => {
  const error = new KmsError('InvalidCiphertextException');
  expect(error.message).toBe('');
  expect('cause' in error).toBe(false);
});

test('errors of the client have status 400, and only three errors are the server’s', () => {
  const names = Object.keys(kmsErrors) as KmsErrorName[];
  const errors = names.map((name) => new KmsError(name));
  const faulty = errors.filter(({ $fault }) => $fault === 'server');
  expect(faulty.map(({ name, httpStatusCode }) => [name, httpStatusCode])).toEqual([
    ['DependencyTimeoutException', 503],
    ['KMSInternalException', 500],
    ['KeyUnavailableException', 500],
  ]);
  for (const error of errors) {
    if (error.$fault === 'client') expect(error.httpStatusCode).toBe(400);
  }
});

test('errors of the front end and of authorisation are in the table', () => {
  expect(Object.keys(kmsErrors)).toEqual(
    expect.arrayContaining([
      'AccessDeniedException',
      'ExpiredTokenException',
      'IncompleteSignatureException',
      'InvalidSignatureException',
      'MissingAuthenticationTokenException',
      'NotAuthorizedException',
      'SerializationException',
      'ThrottlingException',
      'UnknownOperationException',
      'UnrecognizedClientException',
      'ValidationException',
    ]),
  );
});

test('a long message keeps its beginning and its end', () => {
  const quoted = 'x'.repeat(1_000_000);
  const { message } = new KmsError('ValidationException', `Value '${quoted}' is too long`);
  expect(message).toMatch(/^Value 'x+…x+' is too long$/);
  expect(message.length).toBe(16_384);
  const whole = 'x'.repeat(16_384);
  expect(new KmsError('ValidationException', whole).message).toBe(whole);
});
