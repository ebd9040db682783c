import { isObject, type JsonObject } from '../http/json.ts';

/** A resource with what a patch says; null removes, and lists are replaced. @see https://www.rfc-editor.org/rfc/rfc7396 */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    const current = merged[name];
    if (value === null) delete merged[name];
    else merged[name] = isObject(value) ? mergePatch(isObject(current) ? current : {}, value) : value;
  }
  return merged;
}
