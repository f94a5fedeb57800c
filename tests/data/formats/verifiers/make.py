"""Write `traces.jsonl` of this folder with verifiers itself: its tasks, scoring and serialisation, no model.

verifiers 0.4.0, Python 3.11: `pip install verifiers==0.4.0 && python make.py`. The messages are given; the rewards are
computed by `Task.score` and the file is written by `write_episode`. Timestamps and ids are fixed; the
expected rows are read back with `read_episodes`.
"""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import verifiers.v1 as vf
from verifiers.v1.configs.agent import AgentConfig
from verifiers.v1.episode import EnvInfo, Episode, GroupInfo, PolicySpan, TrainRunInfo, TrainWorkInfo
from verifiers.v1.graph import MessageNode
from verifiers.v1.trace import AgentInfo, Error, Timing, Trace, TraceTask, VersionInfo, WireTrace
from verifiers.v1.types import AssistantMessage, ToolCall, ToolMessage, UserMessage
from verifiers.v1.utils.trace_store import TRACES_FILE, read_episodes, write_episode

HERE = Path(__file__).parent


class SumData(vf.TaskData):
    """A sum and its result."""

    answer: str


class SumTask(vf.Task[SumData, vf.State]):
    """Two rewards with weights, one metric."""

    @vf.reward(weight=1.0)
    async def correct(self, trace: Trace) -> float:
        """The last reply is the answer."""
        return float(trace.last_reply == self.data.answer)

    @vf.reward(weight=0.25)
    async def short(self, trace: Trace) -> float:
        """One over the number of words."""
        return 1.0 / max(len(trace.last_reply.split()), 1)

    @vf.metric
    async def turns(self, trace: Trace) -> float:
        """Turns of the model."""
        return float(trace.num_turns)


def main() -> None:
    """Write an evaluation (groups by task) and a training dump (groups by id, with steps)."""
    expected = {}
    for name, episodes in (("eval", _evaluation()), ("train", _training())):
        with TemporaryDirectory() as folder:
            for episode in asyncio.run(_scored(episodes)):
                write_episode(Path(folder), episode)
            (HERE / f"{name}_traces.jsonl").write_bytes((Path(folder) / TRACES_FILE).read_bytes())
            expected[name] = [_row(episode) for episode in read_episodes(Path(folder), WireTrace)]
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def _evaluation() -> list[tuple[SumTask, Episode]]:
    two, seven = _task(0, "2+2?", "4"), _task(1, "3+4?", "7")
    episodes = [(two, _episode(two, [text])) for text in ("4", "4", "it is 4", "5")]
    episodes += [(seven, _episode(seven, [text])) for text in ("7", "it is 7", "8")]
    episodes.append((seven, _episode(seven, ["7"], tool="3+4")))
    failed = _episode(seven, [])
    failed.ok = failed.traces[0].ok = False
    failed.traces[0].errors.append(Error(type="ProviderError", message="no answer", status_code=500))
    return [*episodes, (seven, failed)]


def _training() -> list[tuple[SumTask, Episode]]:
    task = _task(0, "2+2?", "4")
    episodes = []
    for step, group, texts in ((3, "g1", ("4", "5")), (3, "g2", ("4", "4")), (4, "g3", ("6", "the 4"))):
        for text in texts:
            episode = _episode(task, [text])
            episode.group = GroupInfo(id=group)
            work = TrainWorkInfo(step=step, policy=PolicySpan(start=step, end=step))
            episode.record_run(TrainRunInfo(id="run", work=work))
            episodes.append((task, episode))
    return episodes


def _task(idx: int, prompt: str, answer: str) -> SumTask:
    return SumTask(SumData(idx=idx, prompt=prompt, answer=answer))


def _episode(task: SumTask, texts: list[str], tool: str | None = None) -> Episode:
    """An episode whose one trace holds the given replies, after a call of a tool if there is one."""
    messages = [(UserMessage(content=task.data.prompt), False)]
    if tool is not None:
        call = ToolCall(id="c1", name="calculate", arguments=json.dumps({"sum": tool}))
        messages.append((AssistantMessage(content=None, tool_calls=[call], reasoning_content="use the tool"), True))
        messages.append((ToolMessage(tool_call_id="c1", content="7"), False))
    messages += [(AssistantMessage(content=text), True) for text in texts]
    nodes = [
        MessageNode(parent=number - 1 if number else None, message=message, sampled=sampled, timestamp=0.0)
        for number, (message, sampled) in enumerate(messages)
    ]
    recorded = TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash)
    trace = Trace(
        id=f"{len(texts)}", task=recorded, agent=AgentInfo(config=AgentConfig(model="toy/model")), nodes=nodes,
        verifiers=VersionInfo(version="0.4.0"), timing=Timing(start=0.0), is_completed=True, ok=True,
    )  # fmt: skip
    return Episode(id="e", env=EnvInfo(id="sums"), task=recorded, ok=True, traces=[trace])


async def _scored(episodes: list[tuple[SumTask, Episode]]) -> list[Episode]:
    for task, episode in episodes:
        for trace in episode.traces:
            if trace.ok:
                await task.score(trace)
            else:
                trace.rewards |= {"correct": None, "short": None}
    return [episode for _, episode in episodes]


def _row(episode: Episode) -> dict:
    """What verifiers' own reader says of an episode with one trace."""
    (trace,) = episode.traces
    return {
        "ok": episode.ok,
        "group": episode.group.id if episode.group else None,
        "step": episode.run.work.step if episode.run else None,
        "key": episode.task.key,
        "last_reply": trace.last_reply,
        "sampled": [node.message.content for node in trace.nodes if node.sampled],
        "rewards": {name: [reward.score, reward.weight] for name, reward in trace.rewards.items() if reward},
        "reward": trace.reward,
        "metrics": trace.metrics,
    }


if __name__ == "__main__":
    main()
