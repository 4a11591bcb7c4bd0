/** What a client's frames about tools do. Whether it may is decided by the tool that is meant, not by the frame. */
import type { ToolStream } from "../../shared/protocol/tools.ts";
import type { Answer, Handler, SessionActions } from "./dispatch.ts";

type ToolFrame = "call_tool" | "resume_tool" | "cancel_tool";

export const TOOL_FRAMES: { [Type in ToolFrame]: Handler<Type> } = {
  call_tool: {
    permission: null,
    async run({ type: _, requestId: __, stream, ...call }, { tools, now }) {
      if (stream) return streamFrame(await tools.start(call), now);
      const answer = await tools.call(call);
      return { type: "tool_result", id: call.id, ...answer, timestamp: now() };
    },
  },
  resume_tool: {
    permission: null,
    run: async ({ stream_id, after }, { tools, now }) =>
      streamFrame(await tools.resume(stream_id, after), now),
  },
  cancel_tool: {
    permission: null,
    async run({ stream_id }, { tools, now }) {
      await tools.cancel(stream_id);
      return { type: "tool_cancelled", stream_id, timestamp: now() };
    },
  },
};

const streamFrame = ({ id, streamId, created }: ToolStream, now: SessionActions["now"]): Answer => ({
  ...{ type: "tool_stream", id, stream_id: streamId, created, timestamp: now() },
});
