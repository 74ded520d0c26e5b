/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VMALOCK_UNIT_BPF_CORE_READ_H
#define VMALOCK_UNIT_BPF_CORE_READ_H
/* libbpf's header of this name, for user space: every field is there. */

#define BPF_CORE_READ(from, field) ((from)->field)
#define BPF_CORE_READ_BITFIELD(from, field) ((void)(from), fake.in_fault_handler)
#define bpf_core_field_exists(...) 1
#define bpf_core_field_offset(type, field) offsetof(type, field)
#define bpf_core_type_id_kernel(type) 0

#endif
