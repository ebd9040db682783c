import type { Message } from '../grpc/server.ts';
import { invalidArgument } from './errors.ts';

/**
 * A resource with the fields that an update names taken from the request; a named field that the request leaves
 * out is cleared.
 *
 * @param paths the update mask's, in snake_case; dots reach into messages
 * @param known top-level fields in snake_case, and whether an update may change them
 * @throws INVALID_ARGUMENT for an empty mask and for unknown or immutable fields
 * @see https://google.aip.dev/134
 */
export function applyUpdateMask(
  current: Message,
  requested: Message,
  paths: unknown,
  known: Readonly<Record<string, 'mutable' | 'immutable'>>,
  method: string,
): Message {
  const list = (paths ?? []) as string[];
  if (list.length === 0) {
    throw invalidArgument(
      `The update_mask in the ${method}Request must be set, and must contain a non-empty paths list.`,
    );
  }
  const updated = structuredClone(current);
  for (const path of list) {
    const top = path.split('.')[0] ?? '';
    const field = Object.hasOwn(known, top) ? known[top] : undefined;
    if (field === undefined) {
      throw invalidArgument(
        `Invalid update_mask provided in the ${method}Request: '${path}' is not a known ${method.slice('Update'.length)} field. Note that field paths must be of the form 'push_config' rather than 'pushConfig'.`,
      );
    }
    if (field === 'immutable') {
      throw invalidArgument(
        `Invalid update_mask provided in the ${method}Request: the '${path}' field in the ${method.slice('Update'.length)} is immutable.`,
      );
    }
    copy(updated, requested, path.split('.').map(camelCase));
  }
  return updated;
}

function copy(target: Message, source: Message | undefined, [field, ...rest]: string[]): void {
  if (field === undefined) return;
  const value = source?.[field];
  if (rest.length === 0) {
    if (value === undefined) delete target[field];
    else target[field] = value;
    return;
  }
  const nested = { ...((target[field] as Message | undefined) ?? {}) };
  copy(nested, value as Message | undefined, rest);
  target[field] = nested;
}

function camelCase(snake: string): string {
  return snake.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
