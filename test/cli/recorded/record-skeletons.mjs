// Records the skeletons that a real AWS CLI version 2 prints for every operation, so that the tests
// can compare without having one. Only needed when lib/model/service-2.json changes:
//
//     node test/cli/recorded/record-skeletons.mjs PATH_OF_AWS
//
// skeletons.json was recorded with aws-cli 2.9.19 (Debian 12) and the API model of lib/model, which
// that version reads from ~/.aws/models/kms/2014-11-01/service-2.json. The sentences in the comments
// of YAML are AWS's documentation; each is recorded as an ellipsis.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const model = JSON.parse(
  readFileSync(new URL('../../../lib/model/service-2.json', import.meta.url), 'utf8'),
);
// No name of an operation of KMS needs more of the AWS CLI's rules.
const kebabCase = (name) => name.replace(/(?!^)[A-Z]/g, '-$&').toLowerCase();

function record(operation, kind) {
  const args = ['kms', kebabCase(operation), '--generate-cli-skeleton', kind];
  return execFileSync(process.argv[2], args, { encoding: 'utf8' });
}

function withoutSentences(yaml) {
  return yaml.replace(/( # (?:\[REQUIRED\] )?).*?((?: Valid values are: [\w, -]+\.)?)$/gm, '$1…$2');
}

const recorded = Object.keys(model.operations).map((operation) => [
  operation,
  {
    input: record(operation, 'input'),
    'yaml-input': withoutSentences(record(operation, 'yaml-input')),
  },
]);
const file = new URL('skeletons.json', import.meta.url);
writeFileSync(file, `${JSON.stringify(Object.fromEntries(recorded), undefined, 2)}\n`);
