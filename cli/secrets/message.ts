import type * as z from 'zod';
import type { rotateSecretMessage } from '../../functions/rotate-secret/message.ts';
import { sendableFunction } from '../sendable.ts';
import { type Message, messageTo } from '../sending.ts';

/** A message to the function that takes care of secrets. */
export function secretMessage(
  content: z.input<typeof rotateSecretMessage>,
  attributes: Message['attributes'],
): Message {
  return messageTo(sendableFunction('rotate-secret'), Buffer.from(JSON.stringify(content)), attributes);
}
