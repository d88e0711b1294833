# What people do with the AWS CLI and KMS, as they write it down.
set -euo pipefail

key=$(aws kms create-key --description documents --query KeyMetadata.KeyId --output text)
aws kms create-alias --alias-name alias/documents --target-key-id "$key"

echo 'a secret' > plain.txt
aws kms encrypt --key-id alias/documents --plaintext fileb://plain.txt \
    --encryption-context purpose=test --output text --query CiphertextBlob | base64 -d > sealed.bin
aws kms decrypt --ciphertext-blob fileb://sealed.bin --encryption-context purpose=test \
    --output text --query Plaintext | base64 -d > opened.txt
cmp plain.txt opened.txt

aws kms create-key --key-usage SIGN_VERIFY --key-spec ECC_NIST_P256 > signer.json
page=$(aws kms list-keys --max-items 1)
token=$(jq -r .NextToken <<< "$page")
others=$(aws kms list-keys --starting-token "$token" --query 'length(Keys)')
aws kms list-aliases --key-id "$key" --output text --query 'Aliases[].AliasName'

aws kms enable-key-rotation --key-id "$key"
if aws kms decrypt --ciphertext-blob fileb://sealed.bin 2> refusal.txt; then exit 1; else code=$?; fi
aws kms schedule-key-deletion --key-id "$key" --pending-window-in-days 7 --query KeyState --output text
aws kms describe-key --key-id "$key" --output text --query 'KeyMetadata.[KeyState,Enabled]'
echo "$others other keys, exit code $code"
