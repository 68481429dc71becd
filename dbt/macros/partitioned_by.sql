{#- Makes a model of days that can be replaced one range at a time: for the dates of the variable `partition`,
    `{since, until}`, half-open. Without it the model is built whole. -#}
{% macro partitioned_by(column) -%}
    {%- if var("partition", none) is not none -%}
        {{- config(
            materialized="incremental",
            incremental_strategy="append",
            on_schema_change="fail",
            pre_hook="{% if is_incremental() %}delete from {{ this }} where {{ in_partition('" ~ column ~ "') }}{% endif %}"
        ) -}}
    {%- endif -%}
{%- endmacro %}

{% macro in_partition(column) -%}
    {%- set partition = var("partition", none) -%}
    {%- if partition is none -%}
        true
    {%- else -%}
        {{ column }} >= date '{{ partition.since }}' and {{ column }} < date '{{ partition.until }}'
    {%- endif -%}
{%- endmacro %}
