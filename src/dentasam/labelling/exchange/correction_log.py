"""The correction log: what the model proposed for each object, and what the annotator made of it."""

import json
from collections.abc import Collection, Iterator
from typing import Any

from dentasam.data.masks import rle
from dentasam.labelling.exchange.exports import chosen_cases, without_paths
from dentasam.labelling.exchange.proposal_outcomes import ProposalCounts, missed_objects, proposal_outcome
from dentasam.labelling.log.cases import Case
from dentasam.labelling.log.database.damage import Damage, DamagedData
from dentasam.labelling.log.fold import ObjectState, undone_ids
from dentasam.labelling.log.operations import ChangeMask, Create, Status, StoredOperation, document_of
from dentasam.labelling.log.store import Store
from dentasam.labelling.wire.box_mask import BoxMask
from dentasam.labelling.workspace.workspace import Workspace


def log_lines(
    store: Store,
    workspace: Workspace,
    statuses: Collection[Status] | None = None,
    counts: ProposalCounts | None = None,
    damages: list[Damage] | None = None,
) -> Iterator[str]:
    """The correction log as NDJSON: a JSON object, and a line, for each object that was labelled.

    Masks are COCO RLE on the whole image. `prediction` is the first proposal, by the model or imported; `steps` is
    every change of the mask with its prompts or stroke, marked `undone` where it was undone; `final` is the mask at
    the end. Deleted objects are included, because deleting a proposal is a correction.

    `proposal` says what became of an object that the model proposed before anybody clicked, `missed` marks teeth that
    it had not proposed.

    statuses: which cases, all by default. counts: adds up what became of the proposals. damages: what is damaged in
    the database is added to it; objects with a damaged operation are left out.
    """
    damages = [] if damages is None else damages
    counts = ProposalCounts() if counts is None else counts
    for case, state in chosen_cases(store, workspace, statuses, damages):
        if not state.objects:
            continue
        # The log is read without its masks; the proposal's mask of each object is read when its turn comes.
        checked = store.checked_log(case.id)
        damages += checked.damages
        log = checked.undamaged
        undone = undone_ids(log)
        missed = missed_objects(state)
        counts.add_missed(len(missed))
        by_object: dict[str, list[StoredOperation]] = {id: [] for id in state.objects}
        for stored in log:
            if stored.operation.object in by_object:
                by_object[stored.operation.object].append(stored)
        for known in state.objects.values():
            if not by_object[known.id]:
                continue
            proposal = next((stored for stored in by_object[known.id] if _is_proposal(stored)), None)
            if proposal is not None:
                try:
                    (proposal,) = store.operations(case.id, proposal.revision - 1, 1)
                except DamagedData as error:
                    damages += error.damages
                    continue
            entry = _entry(case, known, by_object[known.id], proposal, undone)
            outcome = None
            if proposal is not None and known.source == "proposal" and isinstance(proposal.operation, Create):
                outcome = proposal_outcome(proposal.operation, known)
                counts.add(outcome)
            entry |= {"proposal": outcome and outcome.document(), "missed": known.id in missed}
            yield json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"


def _entry(
    case: Case,
    known: ObjectState,
    log: list[StoredOperation],
    proposal: StoredOperation | None,
    undone: set[str],
) -> dict[str, Any]:
    models = [stored.operation.data.model for stored in log if isinstance(stored.operation, Create | ChangeMask)]
    model = next((given for given in reversed(models) if given is not None), None)
    return {
        "image": case.name,
        "width": case.width,
        "height": case.height,
        "status": case.status,
        "object": known.id,
        "category": known.category,
        "parent": known.parent,
        "source": known.source,
        "accepted": known.accepted,
        "deleted": known.deleted,
        "annotators": list(dict.fromkeys(stored.annotator for stored in log)),
        "started": log[0].received,
        "finished": log[-1].received,
        "prompts": known.prompts,
        "model": without_paths(model.model_dump(mode="json")) if model else None,
        "prediction": _step(case, proposal, undone, with_mask=True) if proposal else None,
        "steps": [_step(case, stored, undone) for stored in log if isinstance(stored.operation, ChangeMask)],
        "final": _coco_rle(known.mask, case),
        "painted": _coco_rle(known.painted, case),
        "erased": _coco_rle(known.erased, case),
    }


def _is_proposal(stored: StoredOperation) -> bool:
    operation = stored.operation
    if isinstance(operation, Create):
        return operation.data.source != "manual" and operation.mask is not None
    return isinstance(operation, ChangeMask) and operation.data.model is not None and operation.undoes is None


def _step(case: Case, stored: StoredOperation, undone: set[str], with_mask: bool = False) -> dict[str, Any]:
    operation = stored.operation
    data = document_of(operation)["data"]
    step: dict[str, Any] = {"operation": operation.id, "revision": stored.revision, "annotator": stored.annotator}
    step |= {"time": operation.time, "received": stored.received, "undone": operation.id in undone}
    if operation.undoes is not None:
        step["undoes"] = operation.undoes
    step |= {key: data[key] for key in ("tool", "prompts", "stroke", "source") if data.get(key) is not None}
    if data.get("model") is not None:
        step["model"] = without_paths(data["model"])
    if with_mask and isinstance(operation, Create | ChangeMask) and operation.mask is not None:
        step["mask"] = _coco_rle(operation.mask, case)
    return step


def _coco_rle(mask: BoxMask, case: Case) -> dict[str, Any]:
    runs = mask.coco_runs(case.height, case.width)
    return {"size": [case.height, case.width], "counts": rle.to_string(runs, case.height, case.width)}
