{#- A timestamp without time zone: silver keeps it labelled UTC, here the label comes off again. -#}
{% macro without_zone(column) -%}
    ({{ column }} at time zone 'UTC')
{%- endmacro %}
