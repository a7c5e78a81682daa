"""Gradients -> Schedule: what is hoisted, fused and kept, for any backend."""

from derive.schedule.plan import Schedule, schedule

__all__ = ["Schedule", "schedule"]
