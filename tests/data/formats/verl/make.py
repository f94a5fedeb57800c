"""Dumps that verl 0.9.1 writes, by its own functions; no model and no GPU.

    python make.py  # with verl==0.9.1, TransferQueue, ray, torch, transformers, tensordict 0.10, torchdata, wandb

`v1` and `v1_validation` are `PPOTrainer._log_rollout_data` and `_write_generations` of the V1 trainer, on a batch held
in a dictionary in place of its transfer queue. `legacy` is `RayPPOTrainer._log_rollout_data`, on a batch that was
scored by verl's own DAPO reward manager and put into the order of `_balance_batch`. `expected.json` is what went in.
"""

import asyncio
import json
import random
import uuid
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from omegaconf import OmegaConf
from tensordict import TensorDict
from transfer_queue import KVBatchMeta
from verl import DataProto
from verl.experimental.reward_loop.reward_manager.dapo import DAPORewardManager
from verl.trainer.ppo.ray_trainer import RayPPOTrainer
from verl.trainer.ppo.v1 import trainer_base
from verl.trainer.ppo.v1.trainer_base import PPOTrainer

HERE = Path(__file__).parent
ANSWERS = ("7", "8", "The sum is 7.", "seven \N{SNOWMAN}", "I do not know, but I would say that it is 7 in the end.")


class Letters:
    """A tokeniser whose tokens are characters."""

    pad_token_id = 0

    def decode(self, ids: torch.Tensor, skip_special_tokens: bool = True) -> str:
        return "".join(chr(int(item)) for item in ids if int(item))

    def batch_decode(self, rows: torch.Tensor, skip_special_tokens: bool = True) -> list[str]:
        return [self.decode(row, skip_special_tokens) for row in rows]


def _padded(texts: list[str], *, left: bool) -> torch.Tensor:
    width = max(map(len, texts))
    rows = [[0] * (width - len(text)) * left + [ord(letter) for letter in text] for text in texts]
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def _trainer(step: int, cls: type) -> SimpleNamespace:
    def dump(inputs, outputs, gts, scores, reward_extra_infos_dict, dump_path):
        cls._write_generations(inputs, outputs, gts, scores, reward_extra_infos_dict, dump_path, step)

    return SimpleNamespace(tokenizer=Letters(), _dump_generations=dump, global_steps=step)


def _batch(rng: random.Random, step: int) -> list[dict]:
    """Three prompts with four sessions each; the first prompt comes twice, as a second draw."""
    rows = []
    for number, prompt in enumerate(["3 + 4 = ?", "3 + 4 = ?", f"Say {step}."]):
        uid = str(uuid.UUID(int=1000 * step + number))
        for session in range(4):
            answer = rng.choice(ANSWERS)
            outputs = [answer] if session else ["Let me think.", answer]  # session 0 has two outputs
            score = float("7" in answer) if number else 1.0
            rows += [
                {"uid": uid, "session": session, "output": index, "prompt": prompt, "completion": text, "score": score}
                for index, text in enumerate(outputs)
            ]
    pad = "pad" + uuid.UUID(int=step).hex
    rows += [
        {"uid": pad, "session": i, "output": 0, "prompt": "\x01\x01", "completion": "\x01", "score": 0.0}
        for i in range(2)
    ]
    rng.shuffle(rows)
    return rows


def _nested(texts: list[str]) -> torch.Tensor:
    return torch.nested.as_nested_tensor([torch.tensor([ord(letter) for letter in text]) for text in texts])


def _write_v1(rows: list[dict], step: int) -> None:
    truth = np.array([{"ground_truth": "7"} for _ in rows], dtype=object)
    fields = {
        "uid": np.array([row["uid"] for row in rows], dtype=object),
        "prompts": _nested([row["prompt"] for row in rows]),
        "responses": _nested([row["completion"] for row in rows]),
        "rm_scores": torch.tensor([[0.0, row["score"]] for row in rows]),
        "reward_model": truth,
    }
    trainer_base.tq = SimpleNamespace(kv_batch_get=lambda **_: dict(fields))
    keys = [f"{row['uid']}_{row['session']}_{row['output']}" for row in rows]
    batch = KVBatchMeta(partition_id="train", keys=keys, tags=[{} for _ in rows])
    trainer = _trainer(step, PPOTrainer)
    PPOTrainer._log_rollout_data(trainer, batch, {}, str(HERE / "v1"))


def _write_v1_validation(rows: list[dict], step: int) -> None:
    rows = sorted(
        (row for row in rows if not row["uid"].startswith("pad")),
        key=lambda row: (row["uid"], row["session"], row["output"]),
    )
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    extra = {
        "reward": columns["score"],
        "acc": columns["score"],
        "n_words": [np.int64(len(text.split())) for text in columns["completion"]],
        "uid": [f"{row['uid']}_{row['session']}_{row['output']}" for row in rows],
    }
    gts = ["7"] * len(rows)
    PPOTrainer._write_generations(
        columns["prompt"], columns["completion"], gts, columns["score"], extra, str(HERE / "v1_validation"), step
    )


def _compute_score(data_source, solution_str, ground_truth, extra_info):
    correct = ground_truth in solution_str
    return {
        "score": 1.0 if correct else -1.0,
        "acc": correct,
        "pred": solution_str[-9:],
        "ends": solution_str[-1:] == ".",
    }


def _scored(row: dict) -> dict:
    """The score of a row by verl's DAPO reward manager, with its penalty for long answers."""
    overlong = {"enable": True, "len": 10, "penalty_factor": 1.0, "log": True}
    config = OmegaConf.create({"reward": {"reward_kwargs": {"overlong_buffer_cfg": overlong, "max_resp_len": 40}}})

    async def run() -> dict:
        manager = DAPORewardManager(config, Letters(), _compute_score)
        response = torch.tensor([[ord(letter) for letter in row["completion"]]])
        tensors = TensorDict({"responses": response, "attention_mask": torch.ones_like(response)}, batch_size=1)
        others = {"data_source": ["made"], "reward_model": [{"ground_truth": "7"}], "extra_info": [{}]}
        arrays = {name: np.array(value, dtype=object) for name, value in others.items()}
        return await manager.run_single(DataProto(batch=tensors, non_tensor_batch=arrays, meta_info={}))

    return asyncio.run(run())


def _write_legacy(rows: list[dict], step: int) -> list[dict]:
    rows = sorted(
        (row for row in rows if not row["uid"].startswith("pad") and row["completion"] != "Let me think."),
        key=lambda row: (row["uid"], row["session"]),
    )
    found = [_scored(row) for row in rows]
    width = max(len(row["completion"]) for row in rows)
    scores = torch.zeros(len(rows), width)
    scores[:, -1] = torch.tensor([float(item["reward_score"]) for item in found])
    responses = _padded([row["completion"] for row in rows], left=False)
    prompts = _padded([row["prompt"] for row in rows], left=True)
    tensors = {"prompts": prompts, "responses": responses, "token_level_scores": scores}
    tensors["attention_mask"] = (torch.cat([prompts, responses], dim=1) != 0).long()
    extra_keys = list(found[0]["reward_extra_info"])
    arrays = {key: np.array([item["reward_extra_info"][key] for item in found]) for key in extra_keys}
    arrays["reward_model"] = np.array([{"ground_truth": "7"} for _ in rows], dtype=object)
    arrays["row"] = np.arange(len(rows))
    batch = DataProto(batch=TensorDict(tensors, batch_size=len(rows)), non_tensor_batch=arrays, meta_info={})
    trainer = _trainer(step, RayPPOTrainer)
    trainer._get_dp_size = partial(lambda *_: 2)
    trainer.actor_rollout_wg = None
    RayPPOTrainer._balance_batch(trainer, batch, metrics={})
    extras = {key: batch.non_tensor_batch[key] for key in extra_keys}
    RayPPOTrainer._log_rollout_data(trainer, batch, extras, {}, str(HERE / "legacy"))
    order = batch.non_tensor_batch["row"].tolist()
    return [rows[i] | {"reward": float(found[i]["reward_score"]), "step": step} for i in order]


def main() -> None:
    """Write the files."""
    rng = random.Random(8)
    expected: dict[str, list[dict]] = {"v1": [], "legacy": []}
    for step in (9, 10):
        rows = _batch(rng, step)
        _write_v1(rows, step)
        _write_v1_validation(rows, step)
        expected["v1"] += [row | {"step": step} for row in rows]
        expected["legacy"] += _write_legacy(rows, step)
    (HERE / "expected.json").write_text(json.dumps(expected, indent=0))


if __name__ == "__main__":
    main()
