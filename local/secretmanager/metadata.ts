import { invalidArgument } from './errors.ts';

type Texts = Readonly<Record<string, string>>;

const labelKey = '[\\p{Ll}\\p{Lo}][\\p{Ll}\\p{Lo}\\p{N}_-]{0,62}';
const labelValue = '[\\p{Ll}\\p{Lo}\\p{N}_-]{0,63}';
const annotationKey = /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?$/;
const aliasName = /^[a-zA-Z][a-zA-Z0-9_-]{0,62}$/;

const limits = { labels: 64, labelBytes: 128, annotationBytes: 16 * 1024, aliases: 50 };

/**
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets#Secret.FIELDS.labels
 */
export function checkLabels(labels: Texts): void {
  const entries = Object.entries(labels);
  if (entries.length > limits.labels) {
    throw invalidArgument(
      `Invalid field "labels"; at most ${limits.labels} entries allowed but found ${entries.length}`,
    );
  }
  for (const [key, value] of entries) {
    requireLabelText(key, labelKey, `Invalid field "labels"; key "${key}"`);
    requireLabelText(value, labelValue, `Invalid field "labels.${key}"; value "${value}"`);
  }
}

/**
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets#Secret.FIELDS.annotations
 */
export function checkAnnotations(annotations: Texts): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    if (!annotationKey.test(key)) {
      throw invalidArgument(
        `[${key}] must follow pattern [a-z0-9A-Z]+([_\\.\\-]*[a-z0-9A-Z]+)*), be less than 64 characters, and must have a UTF encoding of less than 128 bytes`,
      );
    }
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > limits.annotationBytes) throw invalidArgument('Annotation map must not exceed 16kib.');
}

/**
 * @param aliases version number by alias
 * @param versions how many versions the secret has had
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/secret-manager/docs/assign-alias-to-secret-version
 */
export function checkAliases(aliases: Readonly<Record<string, number>>, versions: number): void {
  const entries = Object.entries(aliases);
  if (entries.length > limits.aliases) {
    throw invalidArgument(`No more than ${limits.aliases} aliases can be assigned to any given secret`);
  }
  for (const [alias, version] of entries) {
    if (!aliasName.test(alias) || alias === 'latest' || alias === 'NEW') {
      throw invalidArgument(
        `[${alias}] must follow pattern [a-zA-Z][a-zA-Z0-9_-]+, be less than 64 characters and cannot be "latest" or "NEW"`,
      );
    }
    if (version < 1 || version > versions) {
      throw invalidArgument("Aliases cannot be assigned to versions that don't exist");
    }
  }
}

function requireLabelText(text: string, pattern: string, subject: string): void {
  if (!new RegExp(`^${pattern}$`, 'u').test(text)) {
    throw invalidArgument(`${subject} does not conform to regular expression "${pattern}"`);
  }
  if (Buffer.byteLength(text) > limits.labelBytes) {
    throw invalidArgument(`${subject} exceeds maximum byte length ${limits.labelBytes}`);
  }
}
